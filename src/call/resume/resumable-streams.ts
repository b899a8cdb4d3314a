import { type BudgetHolder, SharedBudget } from "../../core/fair/shared-budget.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { Caller, LaterResponses } from "../request/caller.ts";
import { type ResumableCall, type ResumableOwner, ResumableStream } from "./resumable-stream.ts";
import { createToken, gatewayPart, isSameToken, keyOf } from "./resume-token.ts";
import type { StreamsOptions } from "./streams-options.ts";

/** What the streams of one identity take. */
interface Holder {
  readonly kept: BudgetHolder;
  /** How many wait for their client. */
  waiting: number;
  streams: number;
}

/**
 * The streams of a gateway that outlive their socket, by their tokens. Read and changed directly, like the table of
 * connections.
 */
export class ResumableStreams implements ResumableOwner {
  readonly gateway: string;
  readonly #clock: Clock;
  readonly #options: Required<StreamsOptions>;
  readonly #gatewayPart: string;
  readonly #streams = new Map<string, ResumableStream>();
  readonly #holders = new Map<string, Holder>();
  /** Those that wait for their client, the oldest first. */
  readonly #timers = new Map<ResumableStream, unknown>();
  readonly #kept: SharedBudget;
  #isClosing = false;

  /** @param part of every token: tells its gateway from others */
  constructor(gateway: string, clock: Clock, options: Required<StreamsOptions>, part = gatewayPart(gateway)) {
    this.gateway = gateway;
    this.#clock = clock;
    this.#options = options;
    this.#gatewayPart = part;
    this.#kept = new SharedBudget(options.maxKeptBytes);
  }

  /** Streams that run, and whose client is gone. */
  get detached(): number {
    let detached = 0;
    for (const stream of this.#streams.values()) if (stream.isDetached) detached++;
    return detached;
  }

  /** Memory of what all of them keep, bytes. */
  get keptBytes(): number {
    return this.#kept.used;
  }

  /**
   * Lets a stream outlive its socket.
   * @returns null if none may
   */
  open(call: ResumableCall, caller: Caller, channel: LaterResponses): ResumableStream | null {
    if (this.#options.resumeMs === 0 || this.#isClosing) return null;
    const token = createToken(this.#gatewayPart);
    const stream = new ResumableStream(token, keyOf(token), call, caller, channel, this);
    this.#streams.set(stream.key, stream);
    const holder = this.#holders.get(stream.identity);
    if (holder === undefined) {
      this.#holders.set(stream.identity, { kept: { held: 0 }, waiting: 0, streams: 1 });
    } else {
      holder.streams++;
    }
    return stream;
  }

  /** The stream that a client describes, if it is the client's own; otherwise null. */
  find(payload: unknown, caller: Caller): ResumableStream | null {
    if (typeof payload !== "object" || payload === null) return null;
    const { request_id, resume_token } = payload as Readonly<Record<string, unknown>>;
    const stream = typeof resume_token === "string" ? this.getOf(caller.userId, resume_token) : null;
    return stream?.requestId === request_id ? stream : null;
  }

  /** The stream of this token, if this user may have it; otherwise null. */
  getOf(userId: string | null, token: string): ResumableStream | null {
    const stream = this.get(token);
    return stream === null || stream.userId === null || stream.userId === userId ? stream : null;
  }

  /** The stream of this token; null if there is none. */
  get(token: string): ResumableStream | null {
    const stream = this.#streams.get(keyOf(token));
    return stream !== undefined && isSameToken(stream.token, token) ? stream : null;
  }

  /** Ends every stream whose client is gone, and lets no other wait for its client: the gateway stops. */
  drain(): void {
    this.#isClosing = true;
    for (const stream of [...this.#streams.values()]) stream.drain();
  }

  /** The gateway has stopped. */
  close(): void {
    this.drain();
    for (const stream of [...this.#streams.values()]) stream.forget();
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  now(): number {
    return this.#clock.now();
  }

  hasRoomFor(stream: ResumableStream, weight: number): boolean {
    return this.#kept.hasRoomFor(this.#holderOf(stream).kept, weight);
  }

  onKept(stream: ResumableStream, weight: number): void {
    this.#kept.take(this.#holderOf(stream).kept, weight);
  }

  onReleased(stream: ResumableStream, weight: number): void {
    this.#kept.giveBack(this.#holderOf(stream).kept, weight);
  }

  startWaiting(stream: ResumableStream): boolean {
    const isNew = !this.#timers.has(stream);
    if (isNew && this.#timers.size >= this.#options.maxDetached && !this.#makeRoomFor(stream)) return false;
    this.stopWaiting(stream);
    this.#holderOf(stream).waiting++;
    const timer = this.#clock.setTimeout(() => stream.giveUp("expired"), this.#options.resumeMs);
    this.#timers.set(stream, timer);
    return true;
  }

  stopWaiting(stream: ResumableStream): void {
    if (!this.#timers.has(stream)) return;
    this.#clock.clearTimeout(this.#timers.get(stream));
    this.#timers.delete(stream);
    this.#holderOf(stream).waiting--;
  }

  /**
   * Gives up the stream that has waited longest among those of whoever has most, if that is more than this one's
   * identity would have.
   */
  #makeRoomFor(stream: ResumableStream): boolean {
    const own = this.#holderOf(stream).waiting;
    let most: [identity: string, waiting: number] = ["", own + 1];
    for (const [identity, { waiting }] of this.#holders) if (waiting > most[1]) most = [identity, waiting];
    const oldest = [...this.#timers.keys()].find(({ identity }) => identity === most[0]);
    oldest?.giveUp("too_many_streams");
    return oldest !== undefined;
  }

  forget(stream: ResumableStream): void {
    this.#streams.delete(stream.key);
    const holder = this.#holderOf(stream);
    holder.streams--;
    if (holder.streams === 0) this.#holders.delete(stream.identity);
  }

  #holderOf({ identity }: ResumableStream): Holder {
    return this.#holders.get(identity) as Holder;
  }
}
