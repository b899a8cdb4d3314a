import { maskedFrame, requestText } from "../socket/socket-load.js";

/** How a client speaks to one kind of server. */
export interface Dialect {
  /** Where it asks for the upgrade. */
  readonly path: string;
  /** What it sends after the upgrade, and what it then waits for. */
  readonly greeting: string;
  readonly welcome: string;
  /** The frame of request number `index`. */
  request(index: number): Buffer;
  /** The number of the request that a frame's text, from `start`, ends; -1 for a frame that ends none. */
  answered(bytes: Buffer, start: number): number;
}

/** Phoenix Channels, as the gateway and the floor's servers speak them: the push with the result, then the reply. */
export const phoenix: Dialect = {
  path: "/socket/websocket?vsn=2.0.0",
  greeting: JSON.stringify(["1", "1", "api:bench", "phx_join", {}]),
  welcome: '"status":"ok"',
  request: (index) => maskedFrame(requestText(index)),
  // A push begins `["1",null,`, a reply `["1","000042",`.
  answered: (bytes, start) => (bytes[start + 5] === 0x6e ? -1 : numberAt(bytes, start + 6)),
};

/** Socket.IO over its WebSocket transport: a packet with an id, and its acknowledgement. */
export const socketIo: Dialect = {
  path: "/socket.io/?EIO=4&transport=websocket",
  greeting: "40",
  welcome: '40{"sid"',
  request(index) {
    const [, , , event, payload] = JSON.parse(requestText(index)) as unknown[];
    return maskedFrame(`42${index}${JSON.stringify([event, payload])}`);
  },
  answered: (bytes, start) => (bytes[start] === 0x34 && bytes[start + 1] === 0x33 ? numberAt(bytes, start + 2) : -1),
};

function numberAt(bytes: Buffer, start: number): number {
  let number = 0;
  for (let at = start; ; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return number;
    number = number * 10 + digit;
  }
}
