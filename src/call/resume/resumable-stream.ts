import type { CancelReason } from "../../execution/worker-call.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { Caller, LaterResponses } from "../request/caller.ts";
import { cancelled, type Failure, unavailable } from "../request/failure.ts";
import { beginning } from "../request/response.ts";
import type { EndedStream } from "../request/running-calls.ts";
import { KeptResponses } from "./kept-responses.ts";

/** Why a stream, or a part of it, can no longer be resumed. */
export type DropReason = "too_many_streams" | "too_many_bytes" | "expired";

/** The call whose stream it is. */
export interface ResumableCall {
  readonly requestId: string;
  readonly service: string;
  readonly requestType: string;
  /** Memory of its arguments, bytes. */
  readonly weight: number;
  /** From now on it belongs to this caller: it counts, and ends, with the caller's calls. */
  moveTo(caller: Caller, requestId: string): void;
  /** Its caller is gone: it no longer counts among the caller's calls. */
  leaveCaller(): void;
  abort(reason: CancelReason, failure: Failure): void;
}

/** What all resumable streams of a gateway share. */
export interface ResumableOwner {
  readonly gateway: string;
  /** Whether the gateway stops: nobody can come back. */
  readonly isClosing: boolean;
  now(): number;
  /**
   * It waits for its client, from now on, until {@link stopWaiting} or until it expires.
   * @returns false if too many wait
   */
  startWaiting(stream: ResumableStream): boolean;
  stopWaiting(stream: ResumableStream): void;
  hasRoomFor(stream: ResumableStream, weight: number): boolean;
  /** It keeps this many bytes more. */
  onKept(stream: ResumableStream, weight: number): void;
  /** It keeps this many bytes fewer. */
  onReleased(stream: ResumableStream, weight: number): void;
  forget(stream: ResumableStream): void;
}

const detachEvent = telemetryEvent("stream.detach");
const resumeEvent = telemetryEvent("stream.resume");
const dropEvent = telemetryEvent("stream.drop");

/**
 * Where the Responses of a stream go that outlives its socket: to the channel that its client has now, and until the
 * client has acknowledged them into memory, from which the next channel gets them again.
 *
 * A Response is **delivered** once it was given to a channel, whether or not it arrived.
 */
export class ResumableStream implements LaterResponses, EndedStream {
  readonly token: string;
  /** See `keyOf`. */
  readonly key: string;
  /** Who may resume it; null: whoever knows the token. */
  readonly userId: string | null;
  /** Whose part of what is kept it uses. */
  readonly identity: string;
  readonly #owner: ResumableOwner;
  readonly #call: ResumableCall;
  readonly #kept = new KeptResponses();
  #caller: Caller;
  #requestId: string;
  /** Null while it is detached. */
  #channel: LaterResponses | null;
  /** The number of the last Response that was delivered. */
  #delivered = 0;
  /** The number of the last Response that came. */
  #last = 0;
  /** Memory of the call's arguments, bytes, while no caller is there to count it. */
  #arguments = 0;
  #isEnded = false;
  #isOver = false;
  #hasDropped = false;
  #detachedAt = 0;
  #waiting: (() => void)[] = [];

  constructor(
    token: string,
    key: string,
    call: ResumableCall,
    caller: Caller,
    channel: LaterResponses,
    owner: ResumableOwner,
  ) {
    this.token = token;
    this.key = key;
    this.userId = caller.userId;
    this.identity = caller.share.identity;
    this.#call = call;
    this.#requestId = call.requestId;
    this.#caller = caller;
    this.#channel = channel;
    this.#owner = owner;
  }

  get requestId(): string {
    return this.#requestId;
  }

  /** Whether it still runs, and its client is gone. */
  get isDetached(): boolean {
    return this.#channel === null && !this.#isEnded;
  }

  /** Who has it, or had it last. */
  get caller(): Caller {
    return this.#caller;
  }

  /** The number of the oldest Response that is kept. */
  get firstKept(): number {
    return this.#kept.first;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Memory that the caller who resumes it takes over, bytes. */
  get orphanedBytes(): number {
    return this.#arguments;
  }

  /** Whether it is not on this caller's channel now. */
  isElsewhere(caller: Caller): boolean {
    return this.#channel === null || this.#caller !== caller;
  }

  /** Takes the next Response of the stream. */
  push(response: string): void {
    if (this.#isOver) {
      this.#channel?.push(response);
      return;
    }
    const isNext = this.#channel !== null && this.#delivered === this.#last;
    this.#last++;
    if (!this.#keep(response, isNext)) return;
    if (!isNext) return;
    this.#delivered = this.#last;
    this.#channel?.push(response);
  }

  /** Takes the stream's last Response, which is kept until it is acknowledged. */
  end(response: string): void {
    this.push(response);
    if (this.#isOver) return;
    this.#isEnded = true;
    this.#countArguments(0);
    if (this.#channel !== null && this.#startWaiting()) this.#caller.calls.keepEnded(this);
  }

  /** @returns false if it must not wait for its client: it is then forgotten */
  #startWaiting(): boolean {
    if (this.#owner.isClosing) this.forget();
    else if (this.#owner.startWaiting(this)) return true;
    else this.#drop("too_many_streams");
    return false;
  }

  /**
   * Keeps a Response for the next channel. What was delivered makes room for it.
   * @returns false if there is no room, and the stream is given up
   */
  #keep(response: string, isDelivered: boolean): boolean {
    const weight = KeptResponses.weightOf(response);
    while (!this.#owner.hasRoomFor(this, weight) && this.#kept.size > 0 && this.#kept.first <= this.#delivered) {
      this.#release(this.#kept.first);
      this.#reportLess();
    }
    if (this.#owner.hasRoomFor(this, weight)) {
      this.#kept.add(response, weight);
      this.#owner.onKept(this, weight);
      return true;
    }
    if (isDelivered) {
      this.#kept.skip();
      this.#reportLess();
      return true;
    }
    this.#drop("too_many_bytes");
    this.#call.abort("stopped", unavailable);
    return false;
  }

  get isReady(): boolean {
    if (this.#channel === null) return !this.#isOver && this.#owner.hasRoomFor(this, 0);
    return this.#delivered === this.#last && this.#channel.isReady;
  }

  whenReady(run: () => void): void {
    this.#waiting.push(run);
    this.#awaitChannel();
  }

  /** Whether a Response of this number was delivered. */
  hasDelivered(seq: number): boolean {
    return seq <= this.#delivered;
  }

  /** The client has consumed everything up to this number: that is not needed any more. */
  release(seq: number): void {
    this.#release(seq);
  }

  /** The client has consumed everything up to this number of a stream that has ended. */
  acknowledge(seq: number): boolean {
    if (!this.hasDelivered(seq)) return false;
    this.#release(seq);
    if (seq === this.#last) this.forget();
    return true;
  }

  /**
   * Its client is gone, and may come back.
   * @returns false if there is no room to wait for it
   */
  detach(): boolean {
    if (this.#isOver || this.#channel === null) return false;
    const weight = this.#isEnded ? 0 : this.#call.weight;
    if (weight > 0 && !this.#owner.hasRoomFor(this, weight)) {
      this.#drop("too_many_bytes");
      return false;
    }
    if (!this.#startWaiting()) return false;
    this.#leave();
    this.#countArguments(weight);
    this.#channel = null;
    this.#detachedAt = this.#owner.now();
    if (detachEvent.active) detachEvent.emit({ chunks: this.#kept.size }, this.#identify());
    this.#wake();
    return true;
  }

  /**
   * Why its client cannot go on after this number; null if it can.
   * @param seq whatever the client sent
   */
  gapAt(seq: unknown): "gap" | null {
    if (!Number.isSafeInteger(seq) || (seq as number) > this.#delivered) return "gap";
    return (seq as number) < this.#kept.first - 1 ? "gap" : null;
  }

  /** Its client has another channel, and has received everything up to this number. */
  resume(caller: Caller, channel: LaterResponses, seq: number): void {
    const wasDetached = this.#channel === null;
    if (!wasDetached) this.#leave();
    this.#caller = caller;
    this.#channel = channel;
    this.#release(seq);
    if (this.#delivered > seq) channel.onRepeated?.(this.#delivered - seq);
    this.#delivered = seq;
    if (this.#isEnded) {
      if (!this.#owner.isClosing) this.#owner.startWaiting(this);
      caller.calls.keepEnded(this);
    } else {
      this.#owner.stopWaiting(this);
      this.#countArguments(0);
      this.#call.moveTo(caller, this.#requestId);
    }
    if (resumeEvent.active) {
      const duration_us = wasDetached ? Math.round((this.#owner.now() - this.#detachedAt) * 1_000) : 0;
      resumeEvent.emit({ duration_us, chunks: this.#last - seq }, this.#identify());
    }
    if (this.#isEnded && seq === this.#last) this.forget();
    else this.#deliver();
  }

  /** Its request was repeated, perhaps under another id: it goes on there with all that is kept. */
  attach(caller: Caller, channel: LaterResponses, requestId: string): void {
    if (requestId !== this.#requestId) this.#kept.rename(beginning(this.#requestId), beginning(requestId));
    if (this.#channel !== null) {
      this.#leave();
      this.#channel = null;
      this.#detachedAt = this.#owner.now();
    }
    this.#requestId = requestId;
    this.resume(caller, channel, this.#kept.first - 1);
  }

  /** It must not wait any longer. */
  giveUp(reason: DropReason): void {
    if (this.#isOver) return;
    // A client that has its end, and says nothing of it, misses nothing.
    if (this.#isEnded && this.#channel !== null) this.forget();
    else this.#drop(reason);
    if (!this.#isEnded) this.#call.abort("disconnected", cancelled);
  }

  /** The gateway stops: nobody can come back. */
  drain(): void {
    if (this.#isOver || this.#channel !== null) return;
    this.forget();
    if (!this.#isEnded) this.#call.abort("stopped", unavailable);
  }

  /** It cannot be resumed any more, and keeps nothing. */
  forget(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release(this.#last);
    this.#countArguments(0);
    if (this.#isEnded) this.#caller.calls.forgetEnded(this);
    this.#owner.stopWaiting(this);
    this.#owner.forget(this);
    if (this.#isEnded) this.#channel?.left?.();
  }

  /** Its old channel has nothing more to do with it. */
  #leave(): void {
    if (this.#isEnded) this.#caller.calls.forgetEnded(this);
    else this.#call.leaveCaller();
    this.#channel?.left?.();
  }

  #countArguments(weight: number): void {
    if (this.#arguments > 0) this.#owner.onReleased(this, this.#arguments);
    this.#arguments = weight;
    if (weight > 0) this.#owner.onKept(this, weight);
  }

  #release(seq: number): void {
    const weight = this.#kept.dropTo(seq);
    if (weight > 0) this.#owner.onReleased(this, weight);
  }

  /** Gives the channel what it has not been given yet, as fast as its socket takes it. */
  #deliver(): void {
    const channel = this.#channel;
    if (channel === null) return;
    while (this.#delivered < this.#last && !this.#isOver) {
      if (!channel.isReady) {
        channel.whenReady(() => {
          if (this.#channel === channel) this.#deliver();
        });
        return;
      }
      this.#delivered++;
      channel.push(this.#kept.get(this.#delivered) as string);
    }
    this.#wake();
  }

  #awaitChannel(): void {
    const channel = this.#channel;
    // Otherwise the producer goes on when everything is delivered, or the client is back.
    if (channel === null || this.#delivered < this.#last) return;
    channel.whenReady(() => {
      if (this.#channel === channel) this.#wake();
    });
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    if (!this.isReady) {
      this.#awaitChannel();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  #drop(reason: DropReason): void {
    this.#report(reason);
    this.forget();
  }

  /** Reports, once, that not everything is kept that its client may have to ask for. */
  #reportLess(): void {
    if (!this.#hasDropped) this.#report("too_many_bytes");
    this.#hasDropped = true;
  }

  #report(reason: DropReason): void {
    if (dropEvent.active) dropEvent.emit({ chunks: this.#kept.size }, { ...this.#identify(), reason });
  }

  #identify() {
    const { requestId } = this;
    const { service, requestType } = this.#call;
    return {
      gateway: this.#owner.gateway,
      request_id: requestId,
      service,
      request_type: requestType,
      user_id: this.userId,
    };
  }
}
