import type { Clock } from "../../../src/core/time/clock.ts";
import type {
  ApiRateLimit,
  RateLimit,
  RateLimitedRequest,
  RateLimitScope,
  ScopedRateLimit,
} from "../../../src/policy/rate-limiter/rate-limit.ts";

type Outcome = { allowed: true } | { allowed: false; retryAfterMs: number };
interface Use {
  readonly limit: ScopedRateLimit;
  readonly value: unknown;
}

/** The rate limiter as one would write it without a thought for time or memory: a list of all accepted requests. */
export class NaiveRateLimiter {
  readonly #clock: Clock;
  #limits: ScopedRateLimit[] = [];
  #accepted: { identity: string; value: unknown; at: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  configure({ globalLimits, apiLimits }: { globalLimits: readonly RateLimit[]; apiLimits: readonly ApiRateLimit[] }) {
    this.#limits = [
      ...globalLimits.map((limit) => ({ scope: "global" as const, ...limit })),
      ...apiLimits.map(({ service, requestType, ...limit }) => ({ scope: { service, requestType }, ...limit })),
    ];
    const stay = new Set(this.#limits.map(identityOf));
    this.#accepted = this.#accepted.filter(({ identity }) => stay.has(identity));
  }

  check(request: RateLimitedRequest): Outcome {
    return this.#decide(this.#usesOf(request));
  }

  checkValue(value: unknown, scope: RateLimitScope, key: string): Outcome {
    return this.#decide(this.#matching(scope, key).map((limit) => ({ limit, value })));
  }

  wouldAllow(request: RateLimitedRequest, at: number): boolean {
    return this.#usesOf(request).every((use) => this.#times(use, at).length < use.limit.maxRequests);
  }

  status(value: unknown, scope?: RateLimitScope, key?: string) {
    const now = this.#clock.now();
    return this.#matching(scope, key).map((limit) => {
      const count = this.#times({ limit, value }, now).length;
      const remaining = Math.max(0, limit.maxRequests - count);
      return { ...limit, count, remaining, retryAfterMs: this.#waitFor({ limit, value }, now) };
    });
  }

  reset(value?: unknown, scope?: RateLimitScope): void {
    const identities = new Set(this.#matching(scope).map(identityOf));
    this.#accepted = this.#accepted.filter(
      (one) => !identities.has(one.identity) || (value !== undefined && one.value !== value),
    );
  }

  #decide(uses: Use[]): Outcome {
    const now = this.#clock.now();
    const retryAfterMs = Math.max(0, ...uses.map((use) => this.#waitFor(use, now)));
    if (retryAfterMs > 0) return { allowed: false, retryAfterMs };
    for (const { limit, value } of uses) this.#accepted.push({ identity: identityOf(limit), value, at: now });
    return { allowed: true };
  }

  /** The first whole number of milliseconds after which there is room, found by trying. */
  #waitFor(use: Use, now: number): number {
    const { maxRequests } = use.limit;
    const times = this.#times(use, now);
    if (times.length < maxRequests) return 0;
    const leaving = times[times.length - maxRequests] as number;
    let ms = Math.max(1, Math.floor(leaving + use.limit.windowMs - now) - 2);
    while (this.#times(use, now + ms).length >= maxRequests) ms++;
    return ms;
  }

  #times({ limit, value }: Use, now: number): number[] {
    const identity = identityOf(limit);
    return this.#accepted
      .filter((one) => one.identity === identity && one.value === value && one.at > now - limit.windowMs)
      .map(({ at }) => at);
  }

  #matching(scope?: RateLimitScope, key?: string): ScopedRateLimit[] {
    return this.#limits.filter(
      (limit) =>
        (scope === undefined || JSON.stringify(limit.scope) === JSON.stringify(scope)) &&
        (key === undefined || limit.key === key),
    );
  }

  #usesOf(request: RateLimitedRequest): Use[] {
    const { service, requestType } = request;
    const ofApi = JSON.stringify({ service, requestType });
    return this.#limits.flatMap((limit) => {
      if (limit.scope !== "global" && JSON.stringify(limit.scope) !== ofApi) return [];
      const value = countedBy(limit, request);
      return value === null ? [] : [{ limit, value }];
    });
  }
}

function countedBy({ key, scope }: ScopedRateLimit, request: RateLimitedRequest): unknown {
  if (key === "userId" || key === "deviceId" || key === "ipAddress") return request[key];
  const value = request.args[key];
  if (typeof value === "string" || typeof value === "number") return value;
  const isAbsent = value === null || value === undefined;
  return isAbsent && scope === "global" ? null : "neither a string nor a number";
}

function identityOf({ scope, key, windowMs }: ScopedRateLimit): string {
  return JSON.stringify([scope, key, windowMs]);
}
