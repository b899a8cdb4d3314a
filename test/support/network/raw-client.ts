import { type ClientOptions, WebSocket } from "ws";

/** A V2 frame as it came: `[join_ref, ref, topic, event, payload]`. */
export type Frame = [unknown, unknown, string, string, unknown];

/** How the server refused an upgrade. */
class Refused extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`The upgrade was refused with ${status}`);
    this.status = status;
    this.body = body;
  }
}

interface Waiting {
  readonly matches: (frame: Frame) => boolean;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

/** A WebSocket client that sends and sees frames as they are. */
export class RawClient {
  /** Resolves when the socket is closed, however it is. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Frames that came and that no {@link next} has taken yet, oldest first. */
  readonly frames: Frame[] = [];
  readonly socket: WebSocket;
  #waiting: Waiting[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => this.#take(JSON.parse(String(data)) as Frame));
    socket.on("error", () => socket.terminate());
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        for (const { reject } of this.#waiting) reject(new Error(`The socket closed with ${code} ${reason}`));
        resolve({ code, reason: reason.toString() });
      });
    });
  }

  /** Sends a string or bytes as they are, anything else as JSON. */
  send(frame: unknown): void {
    this.socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** The oldest frame not yet taken that matches, once there is one. Rejects when the socket closes before. */
  next(matches: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const at = this.frames.findIndex(matches);
    if (at !== -1) return Promise.resolve(this.frames.splice(at, 1)[0] as Frame);
    if (this.socket.readyState === WebSocket.CLOSED) return Promise.reject(new Error("The socket is closed"));
    return new Promise((resolve, reject) => this.#waiting.push({ matches, resolve, reject }));
  }

  /** The reply to `ref`. */
  reply(ref: unknown): Promise<Frame> {
    return this.next((frame) => frame[3] === "phx_reply" && frame[1] === ref);
  }

  /** Joins with `ref` as join_ref too, and gives the reply's payload: `{status, response}`. */
  async join(topic: string, ref: unknown = "1", payload: unknown = {}): Promise<unknown> {
    this.send([ref, ref, topic, "phx_join", payload]);
    return (await this.reply(ref))[4];
  }

  /** Everything sent before has been handled, and everything it caused at once has come, when this resolves. */
  async settled(): Promise<void> {
    const ref = `settled-${++settledCount}`;
    this.send([null, ref, "phoenix", "heartbeat", {}]);
    await this.reply(ref);
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }

  #take(frame: Frame): void {
    const at = this.#waiting.findIndex(({ matches }) => matches(frame));
    if (at === -1) this.frames.push(frame);
    else this.#waiting.splice(at, 1)[0]?.resolve(frame);
  }
}

let settledCount = 0;

/**
 * Connects to `url`, such as `ws://127.0.0.1:4000/socket/websocket?vsn=2.0.0`.
 * @throws Refused with the HTTP status and body when the server does not upgrade
 */
export function connectRaw(url: string, options: ClientOptions & { protocols?: string[] } = {}): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, options.protocols ?? [], options);
    const client = new RawClient(socket);
    socket.once("open", () => resolve(client));
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => reject(new Refused(response.statusCode ?? 0, body)));
    });
  });
}
