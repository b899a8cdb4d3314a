import { fromGenServer, type GenServerRefFrom, refuse, type Server } from "../actor/gen-server.ts";
import type { From } from "../actor/request.ts";
import { isGenApiError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { type RateLimit, type RateLimitScope, type RateLimitValue, scopeName } from "./rate-limit.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { type RateLimiterConfig, type RateLimiterOptions, rateLimiterDefaults } from "./rate-limiter-options.ts";

const resetEvent = telemetryEvent("rate_limiter.reset");
const cleanupEvent = telemetryEvent("rate_limiter.cleanup");

/** What the rate limiter's actor is started with. */
export interface RateLimiterInput {
  readonly gateway: string;
  readonly limiter: RateLimiter;
  /** Of which it needs `sweepIntervalMs` and `keysPerSweep`. */
  readonly options?: RateLimiterOptions;
}

/** Whose counts {@link RateLimiter.reset} forgets. */
export interface RateLimitReset {
  readonly value?: RateLimitValue | undefined;
  readonly scope?: RateLimitScope | undefined;
  readonly key?: string | undefined;
}

interface State extends RateLimiterInput {
  readonly sweepIntervalMs: number;
  readonly keysPerSweep: number;
}

/** The name under which the rate limiter is owned as a table: see `claimTable`. */
const rateLimiterTable = "rate_limiter";

const sweep = { type: "rate_limiter.sweep" } as const;

/**
 * Owns the {@link RateLimiter}. Requests are checked and counts are read on it directly; its configuration changes,
 * counts are reset and keys without requests are forgotten only here. Counts survive a crash of this actor.
 */
export const rateLimiter = fromGenServer({
  init({ gateway, limiter, options }: RateLimiterInput, server): State {
    const { sweepIntervalMs, keysPerSweep } = { ...rateLimiterDefaults, ...options };
    server.sendAfter(sweep, sweepIntervalMs);
    return { gateway, limiter: server.table(rateLimiterTable, () => limiter), sweepIntervalMs, keysPerSweep };
  },

  handleCall: {
    updateConfig: ({ limiter }: State, changes: Partial<RateLimiterConfig>) => update(limiter, changes),

    setGlobalLimits: ({ limiter }: State, globalLimits: readonly RateLimit[]) => update(limiter, { globalLimits }),

    /** One of the same key and `windowMs` is replaced. */
    addGlobalLimit({ limiter }: State, limit: RateLimit) {
      const isOther = ({ key, windowMs }: RateLimit) => key !== limit?.key || windowMs !== limit.windowMs;
      const others = limiter.config.globalLimits.filter(isOther);
      return update(limiter, { globalLimits: [...others, limit] });
    },

    /** Without `windowMs` all limits of the key. Answers whether there was one. */
    removeGlobalLimit({ limiter }: State, { key, windowMs }: { key: string; windowMs?: number | undefined }): boolean {
      const { globalLimits } = limiter.config;
      const others = globalLimits.filter(
        (other) => other.key !== key || (windowMs !== undefined && other.windowMs !== windowMs),
      );
      limiter.updateConfig({ globalLimits: others });
      return others.length < globalLimits.length;
    },

    reset({ gateway, limiter }: State, { value, scope, key }: RateLimitReset, _from: From<void>, { clock }) {
      limiter.reset(value, scope, key);
      if (!resetEvent.active) return;
      const which = { scope: scope === undefined ? null : scopeName(scope), key: key ?? null };
      resetEvent.emit({ system_time: clock.systemTime() }, { gateway, ...which, all_values: value === undefined });
    },
  },

  handleInfo(state: State, event, server) {
    if (event.type === sweep.type) sweepSlice(state, server);
  },
});

/** A running rate limiter. */
export type RateLimiterRef = GenServerRefFrom<typeof rateLimiter>;

function update(limiter: RateLimiter, changes: Partial<RateLimiterConfig>) {
  try {
    limiter.updateConfig(changes);
  } catch (error) {
    if (isGenApiError(error)) return refuse(error);
    throw error;
  }
  return undefined;
}

// Between two slices everybody else has a turn.
function sweepSlice({ gateway, limiter, sweepIntervalMs, keysPerSweep }: State, server: Server): void {
  const startedAt = cleanupEvent.active ? server.clock.now() : 0;
  const { removed, more } = limiter.sweep(keysPerSweep);
  server.sendAfter(sweep, more ? 0 : sweepIntervalMs);
  if (removed === 0 || !cleanupEvent.active) return;
  const duration_us = Math.round((server.clock.now() - startedAt) * 1000);
  cleanupEvent.emit({ duration_us, removed }, { gateway });
}
