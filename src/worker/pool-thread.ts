import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { Piscina } from "piscina";
import { toError } from "../core/errors.ts";
import { ownThreadData } from "../core/own-thread.ts";
import type { FunctionKind } from "../execution/function-kind.ts";
import { errorOf, type ThrownData } from "../execution/thrown-data.ts";
import type { CancelReason } from "../execution/worker-call.ts";
import type { PoolFunction } from "./functions/pool-function.ts";
import { isGrant, isNestedEntry, NestedTasks } from "./nested-tasks.ts";
import type { PoolTask, TaskThread } from "./pool-task.ts";
import type { Preloads } from "./preloads.ts";
import { listIdentity } from "./thread/identity-list.ts";
import {
  answer,
  answerLength,
  cell,
  createCells,
  maxUnread,
  type NestedEntry,
  op,
  requestLength,
  type SharedCells,
  slotState,
  type ThreadStart,
  viewCells,
  weightOf,
} from "./thread/thread-protocol.ts";
import { ThreadInbox } from "./thread-inbox.ts";
import type { Watched } from "./wedge-watch.ts";
import type { PoolSettings } from "./worker-pool-options.ts";

/** Callbacks of a thread to its pool. */
export interface ThreadListener {
  ready(thread: PoolThread): void;
  /** A stream's chunk. */
  chunk(task: PoolTask, json: string): void;
  /** A task left its slot, with its result; null at the end of a stream that had no last chunk. */
  succeeded(task: PoolTask, json: string | null): void;
  /** A task left its slot; `begun`: whether its function was called. */
  failed(task: PoolTask, data: ThrownData, begun: boolean, thread: PoolThread): void;
  /** A task left its slot because it was given up; its function may still run. */
  abandoned(task: PoolTask): void;
  stray(error: Error): void;
  /** Functions wrote more to stdout (1) or stderr (2) than the thread may. */
  outputDropped(fd: number, bytes: number): void;
  /** A value of this task cannot be cloned; it left its slot. */
  notSendable(task: PoolTask, error: Error): void;
  /** It has begun to import a module for a call. */
  importing(thread: PoolThread, module: string): void;
  /** It is retiring, and has no tasks left; or none of those that were given up runs any more. */
  drained(thread: PoolThread): void;
  /** It has loaded a function, or could not, see {@link PoolThread.load}: its kind, or the error. */
  loaded(thread: PoolThread, called: PoolFunction, outcome: FunctionKind | ThrownData): void;
  /** It responds again after it was found to be held. */
  released(thread: PoolThread): void;
  /** The loop ended, on request or not. */
  ended(thread: PoolThread, error: Error): void;
}

// Slots of withdrawn calls become free only when the thread has passed over them.
const spareSlots = 1_024;

/** The parts of a thread. */
export interface PoolThreadOptions {
  /** The thread's file. */
  readonly file: URL;
  /** V8's limits for it. */
  readonly resourceLimits: PoolSettings["resourceLimits"];
  /** The most tasks at a time. */
  readonly slots: number;
  /** The pool's list of functions, by number; it only grows. */
  readonly functions: readonly PoolFunction[];
  readonly preloads: Preloads;
  readonly maxOutputBytesPerSecond: number;
}

/**
 * One thread, from the pool's side: its Piscina, which starts, limits and ends it, its port, and its tasks. Each thread
 * has a Piscina of its own, so that nothing ever starts another thread in the place of one that ended.
 */
export class PoolThread implements TaskThread, Watched {
  readonly #piscina: Piscina;
  readonly #port: MessagePort;
  readonly #cells: SharedCells;
  readonly #events: ThreadListener;
  readonly #functions: readonly PoolFunction[];
  readonly #slots: (PoolTask | null)[] = [];
  readonly #freeSlots: number[] = [];
  readonly #withdrawnSlots = new Set<number>();
  readonly #inbox = new ThreadInbox<PoolTask>();
  readonly #maxSlots: number;
  readonly #outgoing: unknown[] = [];
  readonly #flush = (): void => this.flush();
  #scheduled = false;
  #defined = 0;
  #isClosed = false;
  #isUnreadable = false;
  #closed: Promise<void> | null = null;
  readonly preloads: Preloads;
  /** Resolves when the loop has ended. */
  readonly end: Promise<void>;
  /** Resolves when the thread has exited and its port is closed, each of which takes turns of the event loop. */
  readonly gone: Promise<unknown>;
  ready = false;
  /** The number of its tasks. */
  running = 0;
  /** Calls that were given up and whose functions still run. */
  abandoned = 0;
  /** It gets no more tasks, and is replaced when it has none left. */
  isRetiring = false;
  /** Modules that it imports for calls, with the start of each import, milliseconds. */
  readonly imports = new Map<string, number>();
  /** Modules whose import has failed: it cannot import them again. */
  readonly spoiled = new Set<string>();
  /** Since when it has not begun anything sent to it, milliseconds; null while it does. */
  heldSince: number | null = null;
  #progressAtLook = 0;

  constructor(options: PoolThreadOptions, events: ThreadListener) {
    const { file, resourceLimits, slots, functions, preloads, maxOutputBytesPerSecond } = options;
    const { port1, port2 } = new MessageChannel();
    this.#maxSlots = slots + spareSlots;
    const buffer = createCells(this.#maxSlots);
    this.#port = port1;
    this.#cells = viewCells(buffer);
    this.#functions = functions;
    this.preloads = preloads;
    this.#events = events;
    port1.on("message", (entries: unknown) => this.#receiveMessage(entries));
    this.#piscina = new Piscina({
      minThreads: 0,
      maxThreads: 1,
      // A thread must not sleep in Atomics.wait: its sockets and timers would stand still.
      atomics: "disabled",
      recordTiming: false,
      workerData: ownThreadData,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    });
    // A thread that dies before it could get its loop is only reported here.
    this.#piscina.on("error", (thrown) => events.ended(this, toError(thrown)));
    const start: ThreadStart = { port: port2, cells: buffer, maxOutputBytesPerSecond };
    this.end = this.#piscina.run(start, { transferList: [port2], filename: file.href, name: "threadLoop" }).then(
      () => events.ended(this, new Error("The thread's loop has ended")),
      (thrown) => events.ended(this, toError(thrown)),
    );
    const exits = this.#piscina.threads.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    this.gone = Promise.all([new Promise((resolve) => port1.once("close", resolve)), ...exits]);
  }

  get pong(): number {
    return Atomics.load(this.#cells.numbers, cell.pong);
  }

  get progress(): number {
    return Atomics.load(this.#cells.numbers, cell.progress);
  }

  /** The task whose code is on the thread's stack, if known: unknown for code after an `await`. */
  get current(): PoolTask | null {
    return this.#slots[Atomics.load(this.#cells.numbers, cell.current)] ?? null;
  }

  hasBegun(task: PoolTask): boolean {
    return Atomics.load(this.#cells.states, task.slot) === slotState.begun;
  }

  isAloneWith(task: PoolTask): boolean {
    return this.running === 1 && this.abandoned === 0 && this.#slots[task.slot] === task;
  }

  /** Whether it has begun nothing sent to it for some milliseconds. */
  get isHeld(): boolean {
    return this.heldSince !== null;
  }

  /** Whether it may be sent more: later tasks should not have to wait behind too many. */
  get hasRoom(): boolean {
    if (this.isHeld || this.isRetiring || this.running + this.#withdrawnSlots.size >= this.#maxSlots) return false;
    if (!this.#inbox.isFull) return true;
    // Only now does it matter which tasks have begun without an answer.
    this.#drop();
    if (!this.#inbox.isFull) return true;
    this.#inbox.refuse();
    return false;
  }

  /** Whether it has failed to import this module, and cannot try again. */
  isSpoiledFor(module: string): boolean {
    return this.spoiled.size > 0 && this.spoiled.has(module);
  }

  /** The lower, the sooner it can run a function of this module. */
  rankFor(module: string): number {
    if (!this.ready) return 2;
    return this.preloads.isUnderWay(module) ? 1 : 0;
  }

  /** Whether the function of any task was called. */
  get hasBegunAny(): boolean {
    return this.#slots.some((task) => task !== null && this.hasBegun(task));
  }

  /** Its tasks. */
  get tasks(): PoolTask[] {
    return this.#slots.filter((task) => task !== null);
  }

  /** Gives it a task, which leaves with the other entries of this turn. */
  send(task: PoolTask): void {
    const slot = this.#freeSlots.pop() ?? this.#slots.length;
    const { target, window } = task;
    const { maxResultBytes } = target;
    // The thread reads this when it has received the message.
    this.#cells.states[slot] = slotState.sent;
    this.#slots[slot] = task;
    this.#inbox.push(task);
    this.running++;
    task.thread = this;
    task.slot = slot;
    task.sends++;
    task.metFailedImport = this.isSpoiledFor(task.function.module);
    const limits = window === null ? maxResultBytes : [maxResultBytes, window];
    this.#defineUpTo(task.function.number);
    const identity = target.identity === null ? null : listIdentity(target.identity);
    this.#put(task.op, slot, task.function.number, limits, identity, target.args);
  }

  /**
   * Takes a task back.
   *
   * @returns false if its function was already called, or could not be: then the thread will answer
   */
  withdraw(task: PoolTask): boolean {
    const { slot } = task;
    const { states } = this.#cells;
    const { sent, loading, withdrawn } = slotState;
    if (Atomics.compareExchange(states, slot, sent, withdrawn) !== sent) {
      if (Atomics.compareExchange(states, slot, loading, withdrawn) !== loading) return false;
      this.#put(op.withdraw, slot, null, null, null, null);
    }
    this.#forget(task);
    task.sends--;
    this.#withdrawnSlots.add(slot);
    return true;
  }

  /**
   * Checks, every few milliseconds, its progress with the tasks sent to it, and takes back those that wait too long.
   *
   * @param now milliseconds
   * @returns the tasks taken back, the newest first
   */
  look(now: number): PoolTask[] {
    const { progress } = this;
    const begun = (progress - this.#progressAtLook) | 0;
    this.#progressAtLook = progress;
    // A starting thread is not late.
    if (!this.ready) return [];
    this.#drop();
    const tooMany = this.#inbox.look(begun);
    const taken: PoolTask[] = [];
    for (let last = this.#inbox.last; taken.length < tooMany && last !== null; last = this.#inbox.last) {
      if (this.withdraw(last)) taken.push(last);
      else this.#inbox.remove(last);
    }
    if (begun === 0 && taken.length > 0) this.heldSince ??= now;
    return taken;
  }

  /**
   * Gives it no more tasks.
   * @returns the tasks it had not begun, the newest first
   */
  retire(): PoolTask[] {
    this.isRetiring = true;
    return this.tasks.filter((task) => this.withdraw(task)).reverse();
  }

  /** Whether any task waits in its inbox. */
  get isAwaited(): boolean {
    return this.#inbox.first !== null;
  }

  /** Makes it import in the background the modules that it does not know yet. */
  preload(now: number): void {
    for (const module of this.preloads.start(now)) this.#put(op.preload, 0, module, null, null, null);
  }

  /** Makes it load a function that no call waits for, and tell its kind. */
  load({ number }: PoolFunction): void {
    this.#defineUpTo(number);
    this.#put(op.verify, number, null, null, null, null);
  }

  grant(task: PoolTask, chunks: number): void {
    this.#put(op.grant, task.slot, chunks, null, null, null);
  }

  acknowledge(task: PoolTask, chunks: number): void {
    this.#put(op.acknowledge, task.slot, chunks, null, null, null);
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

  /** Sends the entries of this turn. */
  flush(): void {
    this.#scheduled = false;
    if (this.#outgoing.length === 0) return;
    try {
      this.#port.postMessage(this.#outgoing);
      this.#outgoing.length = 0;
    } catch {
      // A single value that cannot be cloned holds back the whole message: find its task.
      const entries = this.#outgoing.splice(0);
      for (let at = 0; at < entries.length; at += requestLength) this.#postAlone(entries.slice(at, at + requestLength));
    }
  }

  /** Receives the thread's remaining messages; for a thread that has died. */
  receiveLast(): void {
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port)) {
      this.#receiveMessage(last.message);
    }
  }

  /** Removes a task from it after its death. */
  release(task: PoolTask): void {
    this.#freeSlots.push(task.slot);
    this.#forget(task);
  }

  #forget(task: PoolTask): void {
    this.#inbox.remove(task);
    this.#slots[task.slot] = null;
    this.running--;
    task.thread = null;
    task.slot = -1;
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.isRetiring && this.running === 0) this.#events.drained(this);
  }

  /** Terminates the thread, if it still lives, and closes the port. */
  close(): void {
    // Unsent entries concern tasks that other threads will get.
    this.#outgoing.length = 0;
    this.#isClosed = true;
    this.#port.close();
    // A second call would make Piscina forget that the first one still waits for the exit.
    this.#closed ??= this.#piscina.destroy();
  }

  #defineUpTo(number: number): void {
    while (this.#defined <= number) this.#define(this.#functions[this.#defined++] as PoolFunction);
  }

  #define({ number, module, moduleName, function: name, ofService }: PoolFunction): void {
    this.#put(op.define, number, module, moduleName, name, ofService);
  }

  readonly #respond = (number: number, response: string | null, isLast: boolean): void => {
    // A nested call may end after the thread of the function that made it.
    if (!this.#isClosed) this.#put(op.respond, number, response, isLast, null, null);
  };

  #nestedOf(task: PoolTask): NestedTasks {
    task.nested ??= new NestedTasks(task, this.#respond);
    return task.nested;
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
      const slot = entry[1] as number;
      // The thread will never get to a withdrawn call.
      if (this.#freeWithdrawn(slot)) return;
      const task = this.#slots[slot] as PoolTask;
      this.release(task);
      this.#events.notSendable(task, toError(thrown));
    }
  }

  /** User code runs where messages are made: an unreadable one costs that thread, not this one. */
  #receiveMessage(entries: unknown): void {
    if (this.#isUnreadable) return;
    if (!Array.isArray(entries) || entries.length % answerLength !== 0) {
      this.#unreadable();
      return;
    }
    const weight = this.#receive(entries);
    const unread = Atomics.sub(this.#cells.numbers, cell.unread, weight);
    if (unread >= maxUnread && unread - weight < maxUnread) this.#put(op.resume, 0, null, null, null, null);
    if (!this.isHeld) return;
    this.heldSince = null;
    this.#events.released(this);
  }

  /** Drops begun tasks at the head of the inbox: a thread begins tasks in the order in which they were sent. */
  #drop(): void {
    for (let first = this.#inbox.first; first !== null; first = this.#inbox.first) {
      // A state read too early is read again.
      if (this.#cells.states[first.slot] === slotState.sent) return;
      this.#inbox.remove(first);
    }
  }

  /** @returns whether the slot belonged to a withdrawn call */
  #freeWithdrawn(slot: number): boolean {
    if (this.#withdrawnSlots.size === 0 || !this.#withdrawnSlots.delete(slot)) return false;
    this.#freeSlots.push(slot);
    return true;
  }

  #unreadable(): void {
    this.#isUnreadable = true;
    this.#events.ended(this, new Error("The thread sent an unreadable message"));
  }

  /** @returns the weight of all entries */
  #receive(entries: unknown[]): number {
    let weight = 0;
    for (let at = 0; at < entries.length; at += answerLength) {
      try {
        this.#read(entries, at);
      } catch (thrown) {
        // Deliver the other answers of this message even if a listener throws.
        this.#events.stray(toError(thrown));
      }
      weight += weightOf(entries[at + 2]);
    }
    return weight;
  }

  #imported(module: string): void {
    this.imports.delete(module);
    this.preloads.end(module);
  }

  #read(entries: unknown[], at: number): void {
    if (this.#isUnreadable) return;
    const value = entries[at + 2];
    const kind = entries[at] as number;
    const task = this.#slots[entries[at + 1] as number] as PoolTask;
    const isOfTask = isAboutTask(kind);
    // The last message about a call that was taken back.
    if (isOfTask && this.#freeWithdrawn(entries[at + 1] as number)) return;
    if ((isOfTask && !task) || !isReadable(kind, value, task)) {
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
        this.#events.failed(task, value as ThrownData, begun, this);
        break;
      }
      case answer.abandoned:
        this.abandoned++;
        this.release(task);
        this.#events.abandoned(task);
        break;
      case answer.settled:
        this.abandoned--;
        this.#checkDrained();
        break;
      case answer.nested:
        this.#nestedOf(task).start(value as NestedEntry);
        break;
      case answer.nestedCancel:
        this.#nestedOf(task).cancel(value as number);
        break;
      case answer.nestedGrant: {
        const [number, chunks] = value as readonly [number, number];
        this.#nestedOf(task).grant(number, chunks);
        break;
      }
      case answer.ready:
        this.ready = true;
        this.#events.ready(this);
        break;
      case answer.verified: {
        const called = this.#functions[entries[at + 1] as number];
        if (called !== undefined) this.#events.loaded(this, called, value as FunctionKind | ThrownData);
        break;
      }
      case answer.importing:
        this.#events.importing(this, value as string);
        break;
      case answer.imported:
        this.#imported(value as string);
        break;
      case answer.spoiled:
        this.spoiled.add(value as string);
        this.#imported(value as string);
        break;
      case answer.stray:
        this.#events.stray(toError(errorOf(value as ThrownData).cause));
        break;
      case answer.outputDropped:
        this.#events.outputDropped(entries[at + 1] as number, value as number);
        break;
    }
  }
}

/** Whether an entry names one of the thread's tasks. */
function isAboutTask(kind: number): boolean {
  switch (kind) {
    case answer.result:
    case answer.failure:
    case answer.chunk:
    case answer.abandoned:
    case answer.withdrawn:
    case answer.nested:
    case answer.nestedCancel:
    case answer.nestedGrant:
      return true;
    default:
      return false;
  }
}

/** Results and chunks are put into a client's frame unchanged, so they must be texts. */
function isReadable(kind: number, value: unknown, task: PoolTask): boolean {
  switch (kind) {
    case answer.result:
      return typeof value === "string" || (value === null && task.op === op.stream);
    case answer.chunk:
    case answer.importing:
    case answer.imported:
    case answer.spoiled:
      return typeof value === "string";
    case answer.outputDropped:
    case answer.nestedCancel:
      return typeof value === "number";
    case answer.nested:
      return isNestedEntry(value);
    case answer.nestedGrant:
      return isGrant(value);
    default:
      return true;
  }
}
