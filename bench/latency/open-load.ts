import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { endOfFrame, maskedFrame, sizeAt } from "../socket/socket-load.js";
import type { Dialect } from "./dialect.js";

// More than may be in flight on one socket; each has a frame of its own number, made beforehand.
const ring = 8_192;
// How long the load sleeps between two looks at what is due and what has come. Timers of Node's are ten times as coarse.
const lookMs = 0.05;
// How long answers are waited for after the last call.
const patienceMs = 3_000;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** What the calls of one window took. */
export interface Window {
  /** Of each call that was answered, in ascending order, from when it was due. */
  readonly latenciesMs: Float64Array;
  readonly unanswered: number;
}

/** Sockets over which calls are sent when they are due, whatever became of the others: an open loop. */
export class OpenLoad {
  readonly #sockets: readonly OpenSocket[];

  private constructor(sockets: readonly OpenSocket[]) {
    this.#sockets = sockets;
  }

  static async connect(port: number, dialect: Dialect, count: number): Promise<OpenLoad> {
    const frames = Array.from({ length: ring }, (_, index) => dialect.request(index));
    return new OpenLoad(
      await Promise.all(Array.from({ length: count }, () => OpenSocket.connect(port, dialect, frames))),
    );
  }

  /** Sends `perSecond` calls a second for `ms`, at equal distances, socket after socket. */
  async run(perSecond: number, ms: number): Promise<Window> {
    const total = Math.round((perSecond * ms) / 1_000);
    const latencies = new Float64Array(total);
    let answered = 0;
    for (const socket of this.#sockets) {
      socket.onAnswer = (latencyMs) => {
        latencies[answered++] = latencyMs;
      };
    }
    const from = performance.now() + 1;
    const dueOf = (call: number) => from + (call * 1_000) / perSecond;
    let next = 0;
    while (answered < total && performance.now() < from + ms + patienceMs) {
      for (const now = performance.now(); next < total && dueOf(next) <= now; next++) {
        (this.#sockets[next % this.#sockets.length] as OpenSocket).send(dueOf(next));
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
      Atomics.wait(sleeper, 0, 0, lookMs);
    }
    for (const socket of this.#sockets) socket.onAnswer = () => undefined;
    return { latenciesMs: latencies.subarray(0, answered).sort(), unanswered: total - answered };
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

class OpenSocket {
  onAnswer: (latencyMs: number) => void = () => undefined;
  readonly #socket: Socket;
  readonly #dialect: Dialect;
  readonly #frames: readonly Buffer[];
  readonly #due = new Float64Array(ring);
  #next = 0;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, dialect: Dialect, frames: readonly Buffer[]) {
    this.#socket = socket;
    this.#dialect = dialect;
    this.#frames = frames;
    socket.on("data", (data) => this.#receive(data as Buffer));
    socket.on("end", () => {
      throw new Error("The server has closed a socket");
    });
    socket.on("error", (error) => {
      throw error;
    });
  }

  static async connect(port: number, dialect: Dialect, frames: readonly Buffer[]): Promise<OpenSocket> {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    await once(socket, "connect");
    socket.write(
      `GET ${dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    const [head] = (await once(socket, "data")) as [Buffer];
    if (!head.toString("latin1").startsWith("HTTP/1.1 101 ")) throw new Error(`Refused: ${head}`);
    socket.write(maskedFrame(dialect.greeting));
    let received = "";
    while (!received.includes(dialect.welcome)) received += String((await once(socket, "data"))[0]);
    return new OpenSocket(socket, dialect, frames);
  }

  send(due: number): void {
    this.#due[this.#next] = due;
    this.#socket.write(this.#frames[this.#next] as Buffer);
    this.#next = (this.#next + 1) % ring;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(data: Buffer): void {
    const now = performance.now();
    const bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let at = 0;
    for (let end = endOfFrame(bytes, at); end <= bytes.length; end = endOfFrame(bytes, at)) {
      const index = this.#dialect.answered(bytes, end - sizeAt(bytes, at));
      if (index >= 0) this.onAnswer(now - (this.#due[index] as number));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}
