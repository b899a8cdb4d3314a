// The load of socket.bench and cluster.bench: plain TCP sockets that send frames made beforehand and only count what
// comes back, so that the load costs a fraction of what the servers do.
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Distinct requests of one connection; a power of two and more than any number in flight. */
const ring = 256;
const topic = "api:bench";

/** What the requests of one sample took. */
export interface Load {
  readonly requests: number;
  readonly seconds: number;
  /** Of each request, in ascending order, milliseconds. */
  readonly latenciesMs: Float64Array;
}

/** So many joined channels, one a connection, to one of the servers that are measured. */
export class Clients {
  readonly #clients: Client[];

  private constructor(clients: Client[]) {
    this.#clients = clients;
  }

  static async connect(port: number, count: number): Promise<Clients> {
    return new Clients(await Promise.all(Array.from({ length: count }, () => Client.connect(port))));
  }

  /** The texts of the two frames that a request is answered with. */
  get answer(): readonly string[] {
    return this.#clients[0]?.answer ?? [];
  }

  /** Keeps `inFlight` requests of each of the first `count` connections in flight for `ms`, then waits for the last answers. */
  async run(inFlight: number, ms: number, count = this.#clients.length): Promise<Load> {
    const from = performance.now();
    const loaded = this.#clients.slice(0, count);
    const latencies = await Promise.all(loaded.map((client) => client.run(inFlight, from + ms)));
    const seconds = (performance.now() - from) / 1_000;
    const latenciesMs = Float64Array.from(latencies.flat()).sort();
    return { requests: latenciesMs.length, seconds, latenciesMs };
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

class Client {
  /** The first answer: every later one must have frames of the same sizes. */
  answer: readonly string[] = [];
  readonly #socket: Socket;
  readonly #frames = Buffer.concat(Array.from({ length: ring }, (_, index) => maskedFrame(requestText(index))));
  readonly #frameBytes = this.#frames.length / ring;
  readonly #sentAt = new Float64Array(ring);
  #next = 0;
  #rest: Buffer = Buffer.alloc(0);
  #latencies: number[] = [];
  #inFlight = 0;
  #until = 0;
  #done: ((latencies: number[]) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async connect(port: number): Promise<Client> {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    await once(socket, "connect");
    socket.write(
      `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    const [head] = (await once(socket, "data")) as [Buffer];
    if (!head.toString("latin1").startsWith("HTTP/1.1 101 ")) throw new Error(`Refused: ${head}`);
    socket.write(maskedFrame(JSON.stringify(["1", "1", topic, "phx_join", {}])));
    const [joined] = (await once(socket, "data")) as [Buffer];
    if (!joined.includes('"status":"ok"')) throw new Error(`The join was refused: ${joined}`);
    const client = new Client(socket);
    await client.#learnAnswer();
    socket.on("data", (data) => client.#receive(data as Buffer));
    socket.on("error", (error) => {
      throw error;
    });
    return client;
  }

  run(inFlight: number, until: number): Promise<number[]> {
    this.#until = until;
    this.#inFlight = inFlight;
    this.#send(inFlight, performance.now());
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sends one request, and keeps both frames that come back. */
  async #learnAnswer(): Promise<void> {
    this.#send(1, 0);
    let data = Buffer.alloc(0);
    while (this.answer.length < 2) {
      const [more] = (await once(this.#socket, "data")) as [Buffer];
      data = Buffer.concat([data, more]);
      this.answer = framesOf(data);
    }
    if (!this.answer[0]?.includes('"success":true')) throw new Error(`The request failed: ${this.answer[0]}`);
  }

  /** Sends the next requests of the ring in one write, or two at the ring's end. */
  #send(count: number, now: number): void {
    const first = this.#next;
    this.#next = (first + count) % ring;
    const end = Math.min(first + count, ring);
    for (let index = 0; index < count; index++) this.#sentAt[(first + index) % ring] = now;
    this.#socket.write(this.#frames.subarray(first * this.#frameBytes, end * this.#frameBytes));
    if (first + count > ring) this.#socket.write(this.#frames.subarray(0, this.#next * this.#frameBytes));
  }

  #receive(data: Buffer): void {
    const now = performance.now();
    const bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let answered = 0;
    let at = 0;
    for (let end = endOfFrame(bytes, at); end <= bytes.length; end = endOfFrame(bytes, at)) {
      const start = end - sizeAt(bytes, at);
      // A push begins `["1",null,`, a reply `["1","000042",`.
      const isPush = bytes[start + 5] === 0x6e;
      if (end - start !== this.answer[isPush ? 0 : 1]?.length) {
        throw new Error(`An unexpected answer: ${bytes.toString("utf8", start, end)}`);
      }
      if (!isPush) {
        this.#latencies.push(now - (this.#sentAt[Number(bytes.toString("latin1", start + 6, start + 12))] as number));
        answered++;
      }
      at = end;
    }
    this.#rest = bytes.subarray(at);
    if (answered === 0) return;
    if (now < this.#until) {
      this.#send(answered, now);
      return;
    }
    this.#inFlight -= answered;
    if (this.#inFlight > 0) return;
    this.#done?.(this.#latencies);
    this.#latencies = [];
  }
}

/** Every text of a request has the same length, and its ref names its place in the ring. */
export function requestText(index: number): string {
  const number = String(index).padStart(6, "0");
  return JSON.stringify([
    "1",
    number,
    topic,
    "api",
    {
      service: "posts",
      request_type: "create_post",
      request_id: `3f0c6c1e-7d1b-4a86-9a39-0d6a1f${number}`,
      args: { title: "Supervision trees on XState", likes: 41, published: true },
    },
  ]);
}

/** A text frame of a client, of 126 to 65 535 bytes or fewer than 126. */
export function maskedFrame(text: string): Buffer {
  const mask = Buffer.from([0x3a, 0xc5, 0x71, 0x9e]);
  const payload = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] as number));
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...size]), mask, payload]);
}

/** The size of the payload of the frame at `at`. */
export function sizeAt(bytes: Buffer, at: number): number {
  const size = bytes[at + 1] ?? 0;
  return size < 126 ? size : ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

/** Where the frame at `at` ends; beyond `bytes` when it has not come whole. */
export function endOfFrame(bytes: Buffer, at: number): number {
  const header = (bytes[at + 1] ?? 0) < 126 ? 2 : 4;
  return at + header > bytes.length ? Number.POSITIVE_INFINITY : at + header + sizeAt(bytes, at);
}

function framesOf(bytes: Buffer): string[] {
  const frames: string[] = [];
  let at = 0;
  for (let end = endOfFrame(bytes, at); end <= bytes.length; end = endOfFrame(bytes, at)) {
    frames.push(bytes.toString("utf8", end - sizeAt(bytes, at), end));
    at = end;
  }
  return frames;
}
