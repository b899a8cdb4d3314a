// The attacks of hostile.bench and fairness.bench. To add one, add a line to one of the two lists: how many sockets, and
// what each of them does once all are open. The frames and habits that attacks are made of follow below the lists.
import { Counter, frame, frameHeader, RawSocket, textFrame } from "./raw-socket.js";

/** What one socket of an attack does. It is open; it has joined nothing. */
type Script = (socket: RawSocket, index: number) => void | Promise<void>;

/** One attack: how many sockets run its script at once, and whether one that was closed connects again. */
interface Attack {
  readonly sockets: number;
  readonly script: Script;
  readonly again: boolean;
}

const once = (sockets: number, script: Script): Attack => ({ sockets, script, again: false });
const always = (sockets: number, script: Script): Attack => ({ sockets, script, again: true });

// More at once are for a gateway to refuse.
const openedAtOnce = 50;

/** What makes a gateway hold memory. */
export const memoryAttacks: Readonly<Record<string, Attack>> = {
  "1 socket, 1 000 waiting calls, arguments of 960 kB": once(1, keepCalling(1_000, "wait", `{"junk":${objects(960)}}`)),
  "1 socket, 1 000 waiting calls, request ids of 900 kB": once(
    1,
    keepCalling(1_000, "wait", "{}", "i".repeat(900_000)),
  ),
  "1 200 sockets that never read ask once for 8 MB": once(1_200, askAndNeverRead),
  "200 sockets begin a message and never end it": once(200, beginAndNeverEnd),
  "12 sockets, 8 frames of 960 kB during a slow join": once(12, sendDuringJoin),
  "1 call writes 300 MB to stdout": once(1, callOnce("print")),
};

/** What makes others wait. */
export const floods: Readonly<Record<string, Attack>> = {
  "1 socket, 1 000 waiting calls": always(1, keepCalling(1_000, "wait")),
  "1 socket, 1 000 quick calls in flight": always(1, keepCalling(1_000, "echo_worker", '{"text":"x"}')),
  "1 socket, 500 silent streams": always(1, keepCalling(500, "silent_stream")),
  "2 sockets, empty pongs": always(2, flood(frame(0x8a, Buffer.alloc(0)))),
  "2 sockets, joins of one topic": always(2, flood(textFrame('["1","1","api:x","phx_join",{}]'))),
  "2 sockets, heartbeats": always(2, flood(textFrame('[null,"1","phoenix","heartbeat",{}]'))),
  "300 sockets, 100 joins each at once": once(300, joinMany),
  "4 sockets, cancel with 1 MB of {},{},…": always(4, joinAndFlood(message("cancel", `{"junk":${objects(990)}}`))),
  "4 sockets, an unknown request_type of 450 kB": always(4, joinAndFlood(message("api", request("t".repeat(450_000))))),
};

/** Opens the sockets of an attack. @returns what lets them all begin; they go on until this process ends */
export async function prepare(port: number, { sockets, script, again }: Attack): Promise<() => void> {
  const open: RawSocket[] = [];
  while (open.length < sockets) {
    const some = Math.min(sockets - open.length, openedAtOnce);
    open.push(...(await Promise.all(Array.from({ length: some }, () => RawSocket.open(port)))));
  }
  return () => {
    for (const [index, socket] of open.entries()) start(port, socket, script, index, again);
  };
}

async function start(port: number, socket: RawSocket, script: Script, index: number, again: boolean): Promise<void> {
  await run(socket, script, index);
  if (again) await comeBack(port, script, index);
}

async function run(socket: RawSocket, script: Script, index: number): Promise<void> {
  await Promise.race([script(socket, index), socket.closed]);
  await socket.closed;
}

/** Connects and goes on, as often as the gateway closes it. */
async function comeBack(port: number, script: Script, index: number): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    try {
      await run(await RawSocket.open(port), script, index);
    } catch {
      // A gateway may refuse whom it has closed before.
    }
  }
}

// After how long a call that was refused is tried again: what is kept in flight is calls, not refusals.
const refusedMs = 1_000;

/** Keeps so many calls in flight. */
function keepCalling(inFlight: number, requestType: string, args = "{}", idTail = ""): Script {
  return async (socket, index) => {
    await socket.join("api:x");
    const start = `["1","1","api:x","api",{"service":"hostile","request_type":"${requestType}","request_id":"`;
    const end = Buffer.from(`${idTail}","args":${args}}]`);
    let id = 0;
    const call = (calls: number): void => {
      for (let each = 0; each < calls; each++) {
        const own = Buffer.from(`${start}${index}-${id++}-`);
        socket.write(frameHeader(0x81, own.length + end.length), own, end);
      }
    };
    const ends = new Counter('"has_more":false');
    const failures = new Counter('"success":false');
    socket.read((data) => {
      const failed = failures.in(data);
      call(ends.in(data) - failed);
      if (failed > 0) setTimeout(call, refusedMs, failed);
    });
    call(inFlight);
  };
}

function callOnce(requestType: string): Script {
  return async (socket) => {
    await socket.join("api:x");
    socket.write(message("api", request(requestType)));
  };
}

/** Sends one frame as often as the gateway takes it, and reads what comes. */
function flood(bytes: Buffer): Script {
  // Small frames are written many at a time, so that the attacker needs little of the machine.
  const many = Buffer.concat(Array.from({ length: Math.ceil(16_384 / bytes.length) }, () => bytes));
  return async (socket) => {
    socket.read();
    let isOpen = true;
    socket.closed.then(() => {
      isOpen = false;
    });
    while (isOpen) {
      if (!socket.write(many)) await socket.drained();
    }
  };
}

function joinAndFlood(bytes: Buffer): Script {
  return async (socket, index) => {
    await socket.join("api:x");
    await flood(bytes)(socket, index);
  };
}

async function askAndNeverRead(socket: RawSocket): Promise<void> {
  // The join's answer is small, and may wait unread with the rest.
  socket.write(textFrame('["1","1","api:x","phx_join",{}]'), message("api", request("large")));
}

async function beginAndNeverEnd(socket: RawSocket): Promise<void> {
  const piece = Buffer.alloc(60_000, "x");
  // A text frame without its FIN bit, then continuations: close to the 8 MiB that a message may have by default.
  socket.write(frame(0x01, piece));
  for (let pieces = 0; pieces < 135; pieces++) if (!socket.write(frame(0x00, piece))) await socket.drained();
}

async function sendDuringJoin(socket: RawSocket): Promise<void> {
  socket.read();
  socket.write(textFrame('["1","1","slow:x","phx_join",{}]'));
  const held = message("api", request("echo_main", `{"junk":${objects(960)}}`), "slow:x");
  for (let frames = 0; frames < 8; frames++) socket.write(held);
}

async function joinMany(socket: RawSocket): Promise<void> {
  socket.read();
  const joins = Array.from({ length: 100 }, (_, topic) => textFrame(`["1","1","api:${topic}","phx_join",{}]`));
  socket.write(Buffer.concat(joins));
}

function message(event: string, payload: string, topic = "api:x"): Buffer {
  return textFrame(`["1","1","${topic}","${event}",${payload}]`);
}

function request(requestType: string, args = "{}"): string {
  return `{"service":"hostile","request_type":"${requestType}","request_id":"one","args":${args}}`;
}

/** A list of empty objects: what takes the most memory of each byte of JSON. */
function objects(kilobytes: number): string {
  return `[${Array.from({ length: Math.floor((kilobytes * 1_000) / 3) }, () => "{}").join(",")}]`;
}
