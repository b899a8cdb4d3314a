import type { RateLimitStatus } from "../../policy/rate-limiter/rate-limiter.ts";
import { rateLimited } from "../request/failure.ts";
import { isRepeat } from "./idempotency.ts";
import type { Stage } from "./stage.ts";
import { limitText } from "./words.ts";

/** Counts the request by every limit that applies to it, unless one refuses it: then none counts it. */
export const rateLimits: Stage = {
  name: "rate_limits",

  run(call, _compiled, deps) {
    if (isRepeat(call)) return undefined;
    const { caller, request } = call;
    if (caller.depth > 0 && !deps.rateLimiter.countsNested) return undefined;
    const { userId, deviceId, ipAddress, claims } = caller;
    const { service, requestType, args } = request;
    const decision = deps.rateLimiter.check({ service, requestType, userId, deviceId, ipAddress, claims, args });
    return decision.allowed ? undefined : rateLimited(decision.retryAfterMs);
  },

  describe(_compiled, { limits }) {
    return { summary: limits.length === 0 ? "none" : limits.map(limitText).join("; "), details: { limits } };
  },

  inspect({ request: { service, requestType, args }, identity, deps }) {
    const { userId, deviceId, ipAddress, claims } = identity;
    const limits = deps.rateLimiter.peek({ service, requestType, args, userId, deviceId, ipAddress, claims });
    const retryAfterMs = Math.max(0, ...limits.map((limit) => limit.retryAfterMs));
    const summary = limits.length === 0 ? "none applies" : limits.map(usedText).join("; ");
    return { summary, details: { limits }, failure: retryAfterMs > 0 ? rateLimited(retryAfterMs) : null };
  },
};

function usedText(limit: RateLimitStatus): string {
  const left = `${limitText(limit)}, ${limit.remaining} left`;
  return limit.remaining > 0 && limit.retryAfterMs > 0 ? `${left}, but all keys are in use` : left;
}
