import type { Writable } from "node:stream";
import { builtIns } from "../../core/foreign/built-ins.ts";
import { ByteRate } from "./byte-rate.ts";

type Written = (error?: Error | null) => void;
type Write = (chunk: unknown, encoding?: BufferEncoding | Written, callback?: Written) => boolean;
type Writev = (chunks: readonly Chunk[], callback: Written) => void;

/** A waiting write, as streams keep it. */
interface Chunk {
  readonly chunk: string | Uint8Array;
  readonly encoding?: BufferEncoding;
}

/** A stream with the two methods that are being bounded. */
type Bounded = Omit<Writable, "write" | "_writev"> & { write: Write; _writev: Writev };

// The cost of a waiting write in addition to its bytes: even an empty one is not free.
const bytesPerWrite = 128;
const reportIntervalMs = 1_000;
const newline = 0x0a;

/**
 * Bounds what functions write to `process.stdout` or `process.stderr` of a thread, which Node sends to the main thread.
 * A thread may write `bytesPerSecond`, and at most one second's worth waits for a slower main thread. A write without
 * room is dropped as a whole, so that lines stay lines; only one that could never fit is cut.
 *
 * Direct writes to file descriptors do not pass through here: `fs.writeSync(1, …)`, and loggers that use it. They do
 * not pass through the main thread either.
 */
export class ThreadOutput {
  readonly #stream: Bounded;
  readonly #write: Write;
  /** The largest possible single write. */
  readonly #maxBytes: number;
  readonly #rate: ByteRate;
  readonly #report: (bytes: number) => void;
  /** Bytes written and not taken yet, including the cost of their writes. */
  #waiting = 0;
  /** Bytes dropped and not reported. */
  #dropped = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #reportTimer: NodeJS.Timeout | null = null;

  /** @param report receives the number of dropped bytes, at most once a second */
  constructor(stream: Writable, bytesPerSecond: number, report: (bytes: number) => void) {
    const bounded = stream as unknown as Bounded;
    this.#stream = bounded;
    this.#maxBytes = bytesPerSecond - bytesPerWrite;
    this.#rate = new ByteRate(bytesPerSecond, builtIns.now());
    this.#report = report;
    this.#write = bounded.write.bind(bounded);
    const writev = bounded._writev.bind(bounded);
    bounded.write = (chunk, encoding, callback) =>
      typeof encoding === "function"
        ? this.#admit(chunk, undefined, encoding)
        : this.#admit(chunk, encoding ?? undefined, callback);
    // A short chunk costs the main thread as much as a long one, and for a part of a buffer it would receive the whole
    // buffer.
    bounded._writev = (chunks, callback) => writev([{ chunk: joined(chunks) }], callback);
    // All functions of the thread share it: none may end it for the others.
    Object.assign(bounded, { end: this.#end, destroy: () => bounded });
  }

  /** Reports at once what was dropped since the last report. */
  reportDropped(): void {
    if (this.#reportTimer !== null) clearTimeout(this.#reportTimer);
    this.#reportTimer = null;
    if (this.#dropped === 0) return;
    this.#reportedAt = builtIns.now();
    this.#report(this.#dropped);
    this.#dropped = 0;
  }

  #admit(chunk: unknown, encoding: BufferEncoding | undefined, callback: Written | undefined): boolean {
    // The stream itself refuses anything but text and bytes.
    if (!isOutput(chunk, encoding)) return this.#write(chunk, encoding, callback);
    const size = sizeOf(chunk, encoding);
    const room = Math.min(this.#rate.left(builtIns.now()), this.#maxBytes - this.#waiting);
    if (size <= room) return this.#pass(bytesOf(chunk, encoding), callback);
    const bytes = size > this.#maxBytes ? cut(chunk, encoding, room) : null;
    this.#drop(size - (bytes?.length ?? 0));
    if (bytes !== null) return this.#pass(bytes, callback);
    if (typeof callback === "function") builtIns.runInMicrotask(() => callback(null));
    return !this.#stream.writableNeedDrain;
  }

  #pass(bytes: Uint8Array, callback: Written | undefined): boolean {
    const cost = bytes.length + bytesPerWrite;
    this.#rate.take(bytes.length);
    this.#waiting += cost;
    return this.#write(bytes, undefined, (error) => {
      this.#waiting -= cost;
      callback?.(error);
    });
  }

  readonly #end = (chunk?: unknown, encoding?: BufferEncoding | Written, callback?: Written): Bounded => {
    const called = [chunk, encoding, callback].find((argument) => typeof argument === "function") as Written;
    if (chunk === undefined || chunk === null || chunk === called) this.#admit("", undefined, called);
    else this.#admit(chunk, encoding === called ? undefined : (encoding as BufferEncoding | undefined), called);
    return this.#stream;
  };

  #drop(bytes: number): void {
    this.#dropped += bytes;
    const dueMs = this.#reportedAt + reportIntervalMs - builtIns.now();
    if (dueMs <= 0) this.reportDropped();
    else this.#reportTimer ??= builtIns.setTimeout(() => this.reportDropped(), dueMs).unref();
  }
}

function isOutput(chunk: unknown, encoding: unknown): chunk is string | Uint8Array {
  if (typeof chunk === "string") return encoding === undefined || Buffer.isEncoding(encoding as string);
  return chunk instanceof Uint8Array;
}

function sizeOf(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): number {
  return typeof chunk === "string" ? builtIns.byteLength(chunk, encoding) : chunk.byteLength;
}

function bytesOf(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): Uint8Array {
  return typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
}

/** The part of an output that fits, as a line of its own that ends with a whole character; null if nothing fits. */
function cut(chunk: string | Uint8Array, encoding: BufferEncoding | undefined, room: number): Uint8Array | null {
  if (room < 2) return null;
  // No encoding makes less than half a byte of a character.
  const head = typeof chunk === "string" ? Buffer.from(chunk.slice(0, room * 2), encoding) : chunk;
  let end = Math.min(head.length, room - 1);
  while (end > 0 && isInsideCharacter(head[end])) end--;
  const bytes = new Uint8Array(end + 1);
  bytes.set(head.subarray(0, end));
  bytes[end] = newline;
  return bytes;
}

/** Whether a byte of UTF-8 is not the first of its character. */
function isInsideCharacter(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000;
}

function joined(chunks: readonly Chunk[]): Uint8Array {
  const parts = chunks.map(({ chunk, encoding }) => bytesOf(chunk, encoding));
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  parts.forEach((part) => {
    bytes.set(part, at);
    at += part.length;
  });
  return bytes;
}
