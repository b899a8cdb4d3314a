import type { InspectionObserver } from "../actor/inspect.ts";
import type { Closed } from "../actor/system.ts";
import type { TreeNode } from "../actor/tree.ts";
import type { HostCallOptions, HostRequest } from "../call/host-calls.ts";
import type { Response } from "../call/response.ts";
import type { RateLimit } from "../policy/rate-limit.ts";
import type { RateLimitStatus } from "../policy/rate-limiter.ts";
import type { RateLimiterApi } from "../policy/rate-limiter-api.ts";
import type { RateLimiterConfig } from "../policy/rate-limiter-options.ts";
import type { ListenAddress } from "../socket/http-server.ts";
import type { ConfigCache } from "./config-cache.ts";

/** A running gateway. */
export interface Runtime extends AsyncDisposable {
  readonly name: string;
  /** Where clients connect; undefined while it does not listen. */
  readonly address: ListenAddress | undefined;
  /** The functions that it knows. */
  readonly configCache: ConfigCache;
  /** Limits, their counts, and how to change them. */
  readonly rateLimiter: RateLimiterApi;
  /** Always resolves: `{reason: "stopped"}`, or with the error that ended the tree. */
  readonly closed: Promise<Closed>;
  /**
   * Calls a function as a client would, through the same pipeline.
   * @returns its result
   * @throws GenApiError with the code of the failed Response
   */
  call<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Result>;
  /** Calls a function. @returns the Response as a client would get it; never rejects */
  request<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Response<Result>>;
  /**
   * The chunks of a stream function, as fast as they are taken; leaving the loop ends the stream.
   * @throws GenApiError as {@link call}
   */
  stream<Chunk = unknown>(
    request: HostRequest,
    options?: Pick<HostCallOptions, "signal">,
  ): AsyncGenerator<Chunk, void, void>;
  /** Closes (1001) every connection whose `connect` gave it this `id`. @returns how many */
  disconnect(id: string): number;
  /**
   * Whether clients are told the message behind an `internal` error, from now on.
   * @throws GenApiError `permission_denied` unless the option `adminActions` lists `change_detail_error`
   */
  setDetailError(detailError: boolean): void;
  /** How much a user has used of each limit by `userId`. */
  rlStatus(userId: string): RateLimitStatus[];
  /** The global limits; given some, replaces them first: those that stay keep their counts. */
  rlGlobal(limits?: readonly RateLimit[]): Promise<readonly RateLimit[]>;
  /** The rate limiter's whole configuration. */
  rlConfig(): RateLimiterConfig;
  /** The supervision tree as it is now. */
  tree(): TreeNode;
  /** Watches every actor with an XState inspection observer. @returns how to stop that */
  inspect(observer: InspectionObserver): () => void;
  /**
   * Lets nobody in any more, waits up to `drainMs` (default 0) for running calls, answers the others `unavailable`,
   * closes the connections (1012) and stops the tree in reverse order of its start. Stopping again waits for the same end.
   */
  stop(options?: { readonly drainMs?: number }): Promise<Closed>;
}
