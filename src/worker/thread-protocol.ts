import type { MessagePort } from "node:worker_threads";

/**
 * What travels between the pool and one of its threads. Both ways a message is one flat array of entries of fixed
 * length, all entries of one turn of the sender's event loop in the order they were made: many calls cost one
 * message, and a flat array of numbers and texts is what structured cloning is fastest with.
 *
 * A call is known by its **slot**, a small number that its thread's side frees with the call's last entry.
 */
export interface ThreadStart {
  readonly port: MessagePort;
  readonly cells: SharedArrayBuffer;
}

/** To a thread: `[op, slot, function, maxResultBytes, identity, args]`. */
export const requestLength = 6;

/** What an entry to a thread asks for; in brackets what its other places hold, where they differ. */
export const op = {
  /** Run a call. */
  call: 0,
  /** Run a function that answers with a stream. */
  stream: 1,
  /** Load a call's function without calling it. */
  load: 2,
  /** Abort a call's signal, stop a stream: [slot, reason]. */
  cancel: 3,
  /** A stream's consumer has taken chunks: [slot, how many]. */
  grant: 4,
  /** Tell what a function's number means: [0, function, 0, module URL, name]. */
  define: 5,
  /** Write the number to the pong cell: [number]. */
  ping: 6,
  /** End the loop. */
  stop: 7,
  /** Import a module in the background: [0, module URL]. */
  preload: 8,
} as const;

/** From a thread: `[answer, slot, value]`. */
export const answerLength = 3;

/** What an entry from a thread says. */
export const answer = {
  /** The loop has started. */
  ready: 0,
  /** The call's result: its JSON text; of a stream its last chunk, or null. The slot is free. */
  result: 1,
  /** The call, or the stream, failed: ThrownData. The slot is free. */
  failure: 2,
  /** A stream's chunk: its JSON text. */
  chunk: 3,
  /** An error that belongs to no call, thrown in a timer or rejected unheard: ThrownData. */
  stray: 4,
  /** A call that was given up: its slot is free, though its promise has not settled. */
  abandoned: 5,
  /** The promise of such a call has settled: [0]. */
  settled: 6,
  /** The import for `load` has succeeded, or that for `preload` has ended, well or not: [0, module URL]. */
  imported: 7,
} as const;

/** The shared 32-bit cells, written by the thread. */
export const cell = {
  /** Grows with everything that the thread begins. */
  progress: 0,
  /** The slot of the call that is now on the stack, or -1. */
  current: 1,
  /** The number of the last ping that the thread's event loop answered. */
  pong: 2,
} as const;

const cellBytes = 3 * Int32Array.BYTES_PER_ELEMENT;

/** Two views of the memory that a thread shares with the pool. */
export interface SharedCells {
  readonly numbers: Int32Array;
  /** One byte a slot: 1 once the function of the call in this slot was called. */
  readonly begun: Uint8Array;
}

/** Makes the memory for a thread with as many slots. */
export function createCells(slots: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(cellBytes + slots);
  new Int32Array(buffer, 0, 3)[cell.current] = -1;
  return buffer;
}

/** The views of memory made by {@link createCells}. */
export function viewCells(buffer: SharedArrayBuffer): SharedCells {
  return { numbers: new Int32Array(buffer, 0, 3), begun: new Uint8Array(buffer, cellBytes) };
}
