import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { Piscina } from "piscina";
import { toError } from "../core/errors.ts";
import type { PoolFunction } from "./pool-function.ts";
import type { PoolTask, TaskThread } from "./pool-task.ts";
import type { Preloads } from "./preloads.ts";
import {
  answer,
  answerLength,
  cell,
  createCells,
  op,
  requestLength,
  type SharedCells,
  type ThreadStart,
  viewCells,
} from "./thread-protocol.ts";
import { errorOf, type ThrownData } from "./thrown-data.ts";
import type { Watched } from "./wedge-watch.ts";
import type { CancelReason } from "./worker-call.ts";

/** What a thread tells its pool. */
export interface ThreadEvents {
  ready(thread: PoolThread): void;
  /** A stream's chunk. */
  chunk(task: PoolTask, json: string): void;
  /** A task left its slot, with its result; null at the end of a stream that had no last chunk. */
  succeeded(task: PoolTask, json: string | null): void;
  /** A task left its slot; `begun` tells whether its function was called. */
  failed(task: PoolTask, data: ThrownData, begun: boolean): void;
  /** A task left its slot because it was given up; its function may still run. */
  abandoned(task: PoolTask): void;
  stray(error: Error): void;
  /** A value of this task cannot be cloned; it left its slot. */
  notSendable(task: PoolTask, error: Error): void;
  /** The loop ended, whether told to or not. */
  ended(thread: PoolThread, error: Error): void;
}

const aboutTasks: ReadonlySet<number> = new Set([answer.result, answer.failure, answer.chunk, answer.abandoned]);

/** What a thread is made of. */
export interface PoolThreadOptions {
  readonly piscina: Piscina;
  /** The thread's file. */
  readonly file: URL;
  /** The most tasks at a time. */
  readonly slots: number;
  /** The pool's list, to which functions are only added. */
  readonly functions: readonly PoolFunction[];
  readonly preloads: Preloads;
}

/** One thread, from the pool's side: its loop task in Piscina, its port, and the tasks that it has. */
export class PoolThread implements TaskThread, Watched {
  readonly #port: MessagePort;
  readonly #cells: SharedCells;
  readonly #events: ThreadEvents;
  readonly #functions: readonly PoolFunction[];
  readonly #kill = new AbortController();
  readonly #slots: (PoolTask | null)[] = [];
  readonly #freeSlots: number[] = [];
  readonly #outgoing: unknown[] = [];
  readonly #flush = (): void => this.flush();
  #scheduled = false;
  #defined = 0;
  #isUnreadable = false;
  readonly preloads: Preloads;
  /** Resolves when the loop has ended. */
  readonly end: Promise<void>;
  /** Resolves when the port is closed, which takes a turn of the event loop. */
  readonly portClosed: Promise<void>;
  ready = false;
  /** How many tasks it has. */
  running = 0;
  /** Calls that were given up and whose functions still run. */
  abandoned = 0;
  /** Its event loop did not answer when it was last asked. */
  standsStill = false;

  constructor(options: PoolThreadOptions, events: ThreadEvents) {
    const { piscina, file, slots, functions, preloads } = options;
    const { port1, port2 } = new MessageChannel();
    const buffer = createCells(slots);
    this.#port = port1;
    this.#cells = viewCells(buffer);
    this.#functions = functions;
    this.preloads = preloads;
    this.#events = events;
    port1.on("message", (entries: unknown) => this.#receiveMessage(entries));
    this.portClosed = new Promise((resolve) => port1.once("close", resolve));
    const start: ThreadStart = { port: port2, cells: buffer };
    this.end = piscina
      .run(start, { transferList: [port2], filename: file.href, name: "threadLoop", signal: this.#kill.signal })
      .then(
        () => events.ended(this, new Error("The thread's loop has ended")),
        (thrown) => events.ended(this, toError(thrown)),
      );
  }

  get pong(): number {
    return Atomics.load(this.#cells.numbers, cell.pong);
  }

  get progress(): number {
    return Atomics.load(this.#cells.numbers, cell.progress);
  }

  /** The task whose code is on the thread's stack, where that is known: not of code that runs after an `await`. */
  get current(): PoolTask | null {
    return this.#slots[Atomics.load(this.#cells.numbers, cell.current)] ?? null;
  }

  hasBegun(task: PoolTask): boolean {
    return Atomics.load(this.#cells.begun, task.slot) === 1;
  }

  /** The lower, the sooner it can run a function of this module. */
  rankFor(module: string): number {
    if (this.standsStill) return 3;
    if (!this.ready) return 2;
    return this.preloads.isUnderWay(module) ? 1 : 0;
  }

  /** The tasks that it has. */
  get tasks(): PoolTask[] {
    return this.#slots.filter((task) => task !== null);
  }

  /** Gives it a task; it leaves with the other entries of this turn. */
  send(task: PoolTask): void {
    const slot = this.#freeSlots.pop() ?? this.#slots.length;
    const { target } = task;
    Atomics.store(this.#cells.begun, slot, 0);
    this.#slots[slot] = task;
    this.running++;
    task.thread = this;
    task.slot = slot;
    task.sends++;
    while (this.#defined <= task.function.number) this.#define(this.#functions[this.#defined++] as PoolFunction);
    this.#put(task.op, slot, task.function.number, target.maxResultBytes, target.identity, target.args);
  }

  /** Has it import, in the background, the modules that it was not told of yet. */
  preload(): void {
    for (const module of this.preloads.start()) this.#put(op.preload, 0, module, null, null, null);
  }

  grant(task: PoolTask, chunks: number): void {
    this.#put(op.grant, task.slot, chunks, null, null, null);
  }

  cancel(task: PoolTask, reason: CancelReason): void {
    this.#put(op.cancel, task.slot, reason, null, null, null);
  }

  ping(number: number): void {
    this.#put(op.ping, number, null, null, null, null);
  }

  /** Asks the loop to end. */
  stop(): void {
    this.#put(op.stop, 0, null, null, null, null);
    this.flush();
  }

  /** Sends what was put in this turn. */
  flush(): void {
    this.#scheduled = false;
    if (this.#outgoing.length === 0) return;
    try {
      this.#port.postMessage(this.#outgoing);
      this.#outgoing.length = 0;
    } catch {
      // One value that cannot be cloned keeps the whole message back: find out whose it is.
      const entries = this.#outgoing.splice(0);
      for (let at = 0; at < entries.length; at += requestLength) this.#postAlone(entries.slice(at, at + requestLength));
    }
  }

  /** Takes what the thread has said until now; for a thread that has died. */
  receiveLast(): void {
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port)) {
      this.#receiveMessage(last.message);
    }
  }

  /** Takes a task from it, when it has died. */
  release(task: PoolTask): void {
    this.#slots[task.slot] = null;
    this.#freeSlots.push(task.slot);
    this.running--;
    task.thread = null;
    task.slot = -1;
  }

  /** Terminates the thread, if it still lives, and closes the port. */
  close(): void {
    // What was not sent yet concerns tasks that others will have.
    this.#outgoing.length = 0;
    this.#port.close();
    this.#kill.abort();
  }

  #define({ number, module, name }: PoolFunction): void {
    this.#put(op.define, 0, number, null, module, name);
  }

  #put(code: number, slot: number, third: unknown, fourth: unknown, fifth: unknown, sixth: unknown): void {
    this.#outgoing.push(code, slot, third, fourth, fifth, sixth);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  #postAlone(entry: unknown[]): void {
    try {
      this.#port.postMessage(entry);
    } catch (thrown) {
      const task = this.#slots[entry[1] as number] as PoolTask;
      this.release(task);
      this.#events.notSendable(task, toError(thrown));
    }
  }

  /** The user's code runs where messages are made: one that cannot be read costs that thread, not this one. */
  #receiveMessage(entries: unknown): void {
    if (this.#isUnreadable) return;
    if (Array.isArray(entries) && entries.length % answerLength === 0) this.#receive(entries, 0);
    else this.#unreadable();
  }

  #unreadable(): void {
    this.#isUnreadable = true;
    this.#events.ended(this, new Error("The thread has sent a message that cannot be read"));
  }

  #receive(entries: unknown[], from: number): void {
    let at = from;
    try {
      for (; at < entries.length; at += answerLength) this.#read(entries, at);
    } finally {
      // Whatever a listener throws, the other answers of this message are delivered.
      if (at < entries.length) this.#receive(entries, at + answerLength);
    }
  }

  #read(entries: unknown[], at: number): void {
    if (this.#isUnreadable) return;
    const value = entries[at + 2];
    const kind = entries[at] as number;
    const task = this.#slots[entries[at + 1] as number] as PoolTask;
    // Of these each names a task that the thread has.
    if (aboutTasks.has(kind) && !task) {
      this.#unreadable();
      return;
    }
    switch (kind) {
      case answer.result:
        this.release(task);
        this.#events.succeeded(task, value as string | null);
        break;
      case answer.chunk:
        this.#events.chunk(task, value as string);
        break;
      case answer.failure: {
        const begun = this.hasBegun(task);
        this.release(task);
        this.#events.failed(task, value as ThrownData, begun);
        break;
      }
      case answer.abandoned:
        this.abandoned++;
        this.release(task);
        this.#events.abandoned(task);
        break;
      case answer.settled:
        this.abandoned--;
        break;
      case answer.ready:
        this.ready = true;
        this.#events.ready(this);
        break;
      case answer.imported:
        this.preloads.end(value as string);
        break;
      case answer.stray:
        this.#events.stray(toError(errorOf(value as ThrownData).cause));
        break;
    }
  }
}
