import { fromGenServer, type GenServerRefFrom, refuse, type Server } from "../../actor/gen-server/gen-server.ts";
import type { From } from "../../actor/gen-server/pending-request.ts";
import { isGenApiError, libraryError, toError } from "../../core/errors.ts";
import { faultsError } from "../../core/faults.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { checkLimit, checkReset, type RateLimit, type RateLimitReset, scopeName } from "./rate-limit.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import {
  checkConfigChanges,
  type RateLimiterConfig,
  type RateLimiterOptions,
  rateLimiterDefaults,
} from "./rate-limiter-options.ts";

const resetEvent = telemetryEvent("rate_limiter.reset");
const cleanupEvent = telemetryEvent("rate_limiter.cleanup");

/** The input of the rate limiter's actor. */
export interface RateLimiterInput {
  readonly gateway: string;
  readonly limiter: RateLimiter;
  /** It needs `sweepIntervalMs` and `keysPerSweep` of these. */
  readonly options?: RateLimiterOptions;
}

interface State extends RateLimiterInput {
  readonly sweepIntervalMs: number;
  readonly keysPerSweep: number;
}

/** The table name of the rate limiter: see `claimTable`. */
const rateLimiterTable = "rate_limiter";

const sweep = { type: "rate_limiter.sweep" } as const;

/**
 * Owns the {@link RateLimiter}. Callers check requests and read counts on it directly; only this actor changes its
 * configuration, resets counts and forgets keys without requests. Counts survive a crash of this actor.
 */
export const rateLimiterActor = fromGenServer({
  init({ gateway, limiter, options }: RateLimiterInput, server): State {
    const { sweepIntervalMs, keysPerSweep } = { ...rateLimiterDefaults, ...options };
    server.sendAfter(sweep, sweepIntervalMs);
    return { gateway, limiter: server.table(rateLimiterTable, () => limiter), sweepIntervalMs, keysPerSweep };
  },

  handleCall: {
    updateConfig({ limiter }: State, changes: Partial<RateLimiterConfig>) {
      return attempt("updateConfig", () => {
        refuseFaults("updateConfig", checkConfigChanges(changes));
        limiter.updateConfig(changes);
      });
    },

    setGlobalLimits({ limiter }: State, globalLimits: readonly RateLimit[]) {
      return attempt("setGlobalLimits", () => {
        // Leaving it out would change nothing.
        if (globalLimits === undefined)
          refuseFaults("setGlobalLimits", ["must be given a list of limits, got undefined"]);
        limiter.updateConfig({ globalLimits });
      });
    },

    /** Replaces one with the same key and `windowMs`. */
    addGlobalLimit({ limiter }: State, limit: RateLimit) {
      return attempt("addGlobalLimit", () => {
        refuseFaults("addGlobalLimit", checkLimit(limit));
        const isOther = ({ key, windowMs }: RateLimit) => key !== limit.key || windowMs !== limit.windowMs;
        limiter.updateConfig({ globalLimits: [...limiter.config.globalLimits.filter(isOther), limit] });
      });
    },

    /** Without `windowMs`, all limits with the key. Returns whether there was one. */
    removeGlobalLimit({ limiter }: State, { key, windowMs }: { key: string; windowMs?: number | undefined }): boolean {
      const { globalLimits } = limiter.config;
      const others = globalLimits.filter(
        (other) => other.key !== key || (windowMs !== undefined && other.windowMs !== windowMs),
      );
      limiter.updateConfig({ globalLimits: others });
      return others.length < globalLimits.length;
    },

    reset({ gateway, limiter }: State, which: RateLimitReset, _from: From<void>, { clock }) {
      return attempt("reset", () => {
        refuseFaults("reset", checkReset(which));
        const { value, scope, key } = which;
        limiter.reset(value, scope, key);
        if (!resetEvent.active) return;
        const limits = { scope: scope === undefined ? null : scopeName(scope), key: key ?? null };
        resetEvent.emit({ system_time: clock.systemTime() }, { gateway, ...limits, all_values: value === undefined });
      });
    },
  },

  handleInfo(state: State, event, server) {
    if (event.type === sweep.type) sweepSlice(state, server);
  },

  formatStatus: ({ limiter }) => ({ limits: limiter.limits.length, ...limiter.statistics }),
});

/** A running rate limiter. */
export type RateLimiterRef = GenServerRefFrom<typeof rateLimiterActor>;

/** Performs a request of the host program. A wrong argument is the host's mistake and does not end the limiter. */
function attempt(call: string, act: () => void) {
  try {
    act();
  } catch (thrown) {
    if (isGenApiError(thrown)) return refuse(thrown);
    const error = toError(thrown);
    const message = `rateLimiter.${call} got an unreadable value: ${error.message}`;
    return refuse(libraryError("invalid_option", message, { cause: error }));
  }
  return undefined;
}

function refuseFaults(call: string, faults: readonly string[]): void {
  if (faults.length > 0) throw faultsError("invalid_option", `rateLimiter.${call}`, faults);
}

// Other work gets a turn between two slices.
function sweepSlice({ gateway, limiter, sweepIntervalMs, keysPerSweep }: State, server: Server): void {
  const startedAt = cleanupEvent.active ? server.clock.now() : 0;
  const { removed, more } = limiter.sweep(keysPerSweep);
  server.sendAfter(sweep, more ? 0 : sweepIntervalMs);
  if (removed === 0 || !cleanupEvent.active) return;
  const duration_us = Math.round((server.clock.now() - startedAt) * 1000);
  cleanupEvent.emit({ duration_us, removed }, { gateway });
}
