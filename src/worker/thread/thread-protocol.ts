import type { MessagePort } from "node:worker_threads";
import { builtIns } from "../../core/foreign/built-ins.ts";

/**
 * The messages between the pool and one of its threads. In both directions a message is one flat array of entries of
 * fixed length, all entries of one turn of the sender's event loop in order: many calls cost one message, and
 * structured cloning is fastest for a flat array of numbers and texts.
 *
 * A call is identified by its **slot**, a small number that its thread's side frees with the call's last entry.
 */
export interface ThreadStart {
  readonly port: MessagePort;
  readonly cells: SharedArrayBuffer;
  /** Bytes per second that its functions may write to stdout, and to stderr. */
  readonly maxOutputBytesPerSecond: number;
}

/** To a thread: `[op, slot, function, maxResultBytes, identity, args]`, the identity as in identity-list.ts. */
export const requestLength = 6;

/** The operation of an entry to a thread; in brackets the other fields, if they differ. */
export const op = {
  /** Run a call. */
  call: 0,
  /** Run a function that answers with a stream; one with a window has `[maxResultBytes, window]` for maxResultBytes. */
  stream: 1,
  /** Load a call's function without calling it. */
  load: 2,
  /** Abort a call's signal, stop a stream: [slot, reason]. */
  cancel: 3,
  /** A stream's consumer has taken chunks: [slot, how many]. */
  grant: 4,
  /** Defines a function: [number, module URL, module name, name, ofService]. */
  define: 5,
  /** Write the number to the pong cell: [number]. */
  ping: 6,
  /** End the loop. */
  stop: 7,
  /** Free the slot of a call that was withdrawn while it waited for an import: [slot]. */
  withdraw: 9,
  /** Import a module in the background: [0, module URL]. */
  preload: 8,
  /** The pool has read enough for the thread to post more: [0]. */
  resume: 10,
  /** A stream's client has acknowledged chunks: [slot, how many]. */
  acknowledge: 11,
  /** A Response to a nested call: [its number, JSON, whether it is the last]; null: the call is not wanted any more. */
  respond: 12,
  /** Load a function that no call waits for: [function]. */
  verify: 13,
} as const;

/** From a thread: `[answer, slot, value]`. */
export const answerLength = 3;

/** The meaning of an entry from a thread. */
export const answer = {
  /** The loop has started. */
  ready: 0,
  /**
   * The call's result: its JSON text; for a stream its last chunk, or null; for `load` the function's kind. The slot is
   * free.
   */
  result: 1,
  /** The call or the stream failed: ThrownData. The slot is free. */
  failure: 2,
  /** A stream's chunk: its JSON text. */
  chunk: 3,
  /** An error that belongs to no call, thrown in a timer or an unhandled rejection: ThrownData. */
  stray: 4,
  /** A call was given up: its slot is free, though its promise has not settled. */
  abandoned: 5,
  /** The promise of such a call has settled: [0]. */
  settled: 6,
  /** The thread passed over a withdrawn call: its slot is free. */
  withdrawn: 8,
  /** The event loop has answered a ping. */
  turned: 9,
  /** The import of a module has failed, which the thread remembers forever, as ES modules do: [0, module URL]. */
  spoiled: 10,
  /** Functions wrote more to stdout or stderr than the thread may: [1 or 2, dropped bytes]. */
  outputDropped: 11,
  /** The thread now begins to import a module that a call needs: [0, module URL]. */
  importing: 12,
  /** The import of a module has ended, successfully or not: [0, module URL]. */
  imported: 7,
  /** The call's function calls another: {@link NestedEntry}. */
  nested: 13,
  /** The call's function does not wait for a nested call any more: its number. */
  nestedCancel: 14,
  /** The call's function has taken chunks of a nested stream: [the stream's number, how many]. */
  nestedGrant: 15,
  /** The answer to `verify`: [function, its kind or ThrownData]. */
  verified: 16,
} as const;

/** The shared 32-bit cells, written by the thread; `unread` by both. */
export const cell = {
  /** Grows with everything that the thread begins. */
  progress: 0,
  /** The slot of the call on the stack, or -1. */
  current: 1,
  /** The number of the last ping that the thread's event loop answered. */
  pong: 2,
  /** The total {@link weightOf} what the thread has posted and the pool has not read. */
  unread: 3,
} as const;

/**
 * While this much is unread the thread posts nothing and begins no calls: posted messages use the memory of the whole
 * process, and a busy main thread reads nothing.
 */
export const maxUnread = 16 * 1024 * 1024;

const weightOfEntry = 64;
const weightOfError = 1_024;

/** A nested call on its way to the pool. The thread numbers its nested calls. */
export type NestedEntry = readonly [
  number: number,
  service: string,
  requestType: string,
  args: string,
  version: string | null,
  timeoutMs: number | null,
  isStream: boolean,
];

/** The weight of an entry from a thread, by its value: the length of a text. */
export function weightOf(value: unknown): number {
  if (typeof value === "string") return weightOfEntry + value.length;
  if (builtIns.isArray(value)) return weightOfError + weightOf(value[3]);
  return typeof value === "object" && value !== null ? weightOfError : weightOfEntry;
}

/**
 * The thread's progress with the call in a slot. Both sides change it by compare and exchange, so that a call taken
 * back by the pool is never run, and a call that was run is never taken back.
 */
export const slotState = {
  /** Set by the pool: the thread has not reached it. */
  sent: 0,
  /** Set by the thread: it waits for the import of its module. */
  loading: 1,
  /** Set by the thread: its function was called. */
  begun: 2,
  /** Set by the thread: its function could not be loaded. */
  unloadable: 3,
  /** Set by the pool: the thread must pass over it. */
  withdrawn: 4,
} as const;

const cellCount = 4;
const cellBytes = cellCount * Int32Array.BYTES_PER_ELEMENT;

/** Two views of the memory that a thread shares with the pool. */
export interface SharedCells {
  readonly numbers: Int32Array;
  /** One byte per slot: the {@link slotState} of its call. */
  readonly states: Uint8Array;
}

/** Creates the memory for a thread with this many slots. */
export function createCells(slots: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(cellBytes + slots);
  new Int32Array(buffer, 0, cellCount)[cell.current] = -1;
  return buffer;
}

/** The views of memory made by {@link createCells}. */
export function viewCells(buffer: SharedArrayBuffer): SharedCells {
  return { numbers: new Int32Array(buffer, 0, cellCount), states: new Uint8Array(buffer, cellBytes) };
}
