import type { CancelReason } from "../../execution/worker-call.ts";
import type { Caller } from "../request/caller.ts";
import { cancelled, type Failure } from "../request/failure.ts";
import { beginning } from "../request/response.ts";
import type { RunningCalls } from "../request/running-calls.ts";

/** A request with an idempotency key. */
export interface KeyedRequest {
  readonly requestId: string;
  readonly caller: Pick<Caller, "calls">;
  readonly isStream: boolean;
  /** The token of its stream, if it outlives its socket. */
  readonly resumeToken: string | null;
  /** The call that it waits for was accepted: it is acknowledged as its kind requires. */
  onJoined(): void;
  /** The call that it waits for has ended. */
  onSettled(response: string, failure: Failure | null): void;
  /**
   * Its client is gone, and it goes on: nothing of its caller ends it, but it still counts with the caller's connection,
   * which could otherwise begin any number of calls by leaving them.
   */
  outliveClient(): void;
  abort(reason: CancelReason, failure: Failure): void;
}

/** What all keyed calls of a gateway share. */
export interface KeyedCallOwner {
  /** Calls `run` when no client has waited for `orphanMs`. */
  startOrphanTimer(run: () => void): unknown;
  stopTimer(timer: unknown): void;
  /** Keeps it: its function was called. */
  onSettled(call: KeyedCall): void;
  /** Forgets it: nothing was executed. */
  onRefused(call: KeyedCall): void;
}

/** Memory of an entry besides its texts, bytes. */
const overhead = 512;

// A larger Response is not kept: repeated requests are told that it was.
const maxResponseBytes = 1024 * 1024;

/** The call of one idempotency key: the request that executes it, those that wait for it, and then its Response. */
export class KeyedCall {
  readonly key: string;
  /** Of the arguments of every request with this key. */
  readonly digest: string;
  /** The version that every request with this key asks for. */
  readonly version: string | null;
  readonly #shared: KeyedCallOwner;
  #state: "claimed" | "accepted" | "settled" | "vacant" = "claimed";
  /** Null once it has settled. */
  #request: KeyedRequest | null;
  /** Those that wait for it, each with what it does if nothing is executed. */
  readonly #joined = new Map<KeyedRequest, () => void>();
  #hasClient = true;
  #orphanTimer: unknown;
  #isExpired = false;
  /** Its Response without its beginning, which has the request id; null if it is not kept. */
  #rest: string | null = null;
  #failure: Failure | null = null;
  #token: string | null = null;
  /** This gateway's claim of the key among all gateways, and when it was made; null without one. */
  claimed: { readonly revision: number; readonly at: number } | null = null;
  /** Memory of what is kept, bytes. */
  weight = 0;
  /** When it settled, milliseconds. */
  settledAt = 0;

  constructor(key: string, digest: string, version: string | null, request: KeyedRequest, shared: KeyedCallOwner) {
    this.key = key;
    this.digest = digest;
    this.version = version;
    this.#request = request;
    this.#shared = shared;
  }

  /** Whether this request is the one that executes it. */
  isOf(request: KeyedRequest): boolean {
    return this.#request === request;
  }

  get isAccepted(): boolean {
    return this.#state === "accepted";
  }

  get isSettled(): boolean {
    return this.#state === "settled";
  }

  /** The token of its stream, once that has begun; null if it is no stream. */
  get resumeToken(): string | null {
    return this.#request?.resumeToken ?? this.#token;
  }

  /** Whether its stream is live among these calls, under this id. */
  isStreamOn(calls: RunningCalls, requestId: string): boolean {
    return this.#request?.caller.calls === calls && this.#request.requestId === requestId;
  }

  /** How it failed; null after a success. */
  get failure(): Failure | null {
    return this.#failure;
  }

  /** Its Response to a repeated request; null if that was not kept. */
  responseTo(requestId: string): string | null {
    return this.#rest === null ? null : beginning(requestId) + this.#rest;
  }

  /** Whether nothing was executed, and nobody is left who would: another request may. */
  get isVacant(): boolean {
    return this.#state === "vacant";
  }

  /**
   * One more request waits for it.
   * @param onFreed called if nothing is executed, and it is this request's turn
   */
  join(request: KeyedRequest, onFreed: () => void): void {
    this.#joined.set(request, onFreed);
    this.#checkOrphan();
    if (this.#state === "accepted") request.onJoined();
  }

  /** It runs, or waits for its turn to run. */
  accept(): void {
    if (this.#state !== "claimed") return;
    this.#state = "accepted";
    for (const request of [...this.#joined.keys()]) request.onJoined();
  }

  /**
   * One of its requests is to end.
   * @returns whether that is done here: its call goes on, or ends as a whole
   */
  takesAbort(request: KeyedRequest, reason: CancelReason, failure: Failure): boolean {
    if (this.#state !== "accepted") return false;
    if (request !== this.#request) {
      if (failure.code !== "cancelled" || reason !== "cancelled") return false;
      this.#request?.abort(reason, failure);
      return true;
    }
    if (reason !== "disconnected" || this.#isExpired || request.isStream) return false;
    this.#hasClient = false;
    request.outliveClient();
    this.#checkOrphan();
    return true;
  }

  /**
   * One of its requests was answered.
   * @param hasBegun whether its function was, or may have been, called
   */
  answered(request: KeyedRequest, response: string, failure: Failure | null, hasBegun: boolean): void {
    if (request !== this.#request) {
      this.leave(request);
      return;
    }
    this.#shared.stopTimer(this.#orphanTimer);
    if (!hasBegun && this.#state === "claimed") {
      this.#refused();
      return;
    }
    if (hasBegun) {
      this.accept();
      this.#keep(request, response, failure);
    }
    this.#request = null;
    this.#state = hasBegun ? "settled" : "vacant";
    if (hasBegun) this.#shared.onSettled(this);
    else this.#shared.onRefused(this);
    const rest = response.slice(beginning(request.requestId).length);
    for (const joined of [...this.#joined.keys()]) joined.onSettled(beginning(joined.requestId) + rest, failure);
  }

  /** A request does not wait for it any more. */
  leave(request: KeyedRequest): void {
    this.#joined.delete(request);
    this.#checkOrphan();
  }

  #keep(request: KeyedRequest, response: string, failure: Failure | null): void {
    this.#token = request.resumeToken;
    const bytes = Buffer.byteLength(response);
    const isKept = !request.isStream && bytes <= maxResponseBytes;
    if (isKept) this.#rest = response.slice(beginning(request.requestId).length);
    // Without its cause, which may be large.
    if (failure !== null) this.#failure = { ...failure, cause: undefined };
    this.weight = overhead + this.key.length + (isKept ? bytes : 0);
  }

  /** Nothing was executed: the next request has its turn. */
  #refused(): void {
    const [next] = this.#joined;
    this.#request = next?.[0] ?? null;
    if (next === undefined) {
      this.#state = "vacant";
      this.#shared.onRefused(this);
      return;
    }
    this.#joined.delete(next[0]);
    next[1]();
  }

  #checkOrphan(): void {
    this.#shared.stopTimer(this.#orphanTimer);
    this.#orphanTimer = undefined;
    if (this.#hasClient || this.#joined.size > 0 || this.#state !== "accepted") return;
    this.#orphanTimer = this.#shared.startOrphanTimer(() => {
      this.#isExpired = true;
      this.#request?.abort("disconnected", cancelled);
    });
  }
}
