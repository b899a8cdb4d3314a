import { genApiErrorIn, libraryError, toError } from "../../core/errors.ts";
import { errorText } from "../../core/foreign/error-text.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { callInOwnContext } from "../../core/foreign/own-context.ts";
import { settle } from "../../core/foreign/thenable.ts";
import { loopReleased, loopTaken, type Program } from "../../telemetry/main-loop.ts";
import { type Assigns, readAssigns } from "./assigns.ts";
import { isConnectRefused } from "./connect-refused.ts";
import type { PendingUpgrade } from "./pending-upgrade.ts";
import { type ConnectRefusal, retryLaterMs } from "./read-handshake.ts";
import type { ConnectRequest, ResolvedSocketOptions } from "./socket-options.ts";

/** The upgrade that waits for the answer. */
type Waiting = Pick<PendingUpgrade, "signal" | "givenUp" | "giveUp">;

/** The client's identity, or its refusal. */
export type Authenticated = { readonly assigns: Assigns } | ConnectRefusal;

/**
 * Calls the host's `connect` for a client's identity. Always resolves, whatever `connect` does: after
 * `connectTimeoutMs`, or when the upgrade is given up, with the refusal.
 */
export async function authenticate(
  request: Omit<ConnectRequest, "signal">,
  options: ResolvedSocketOptions,
  gateway: Program,
  upgrade: Waiting,
): Promise<Authenticated> {
  const { connectTimeoutMs } = options;
  const late = () => {
    const error = libraryError("timeout", `connect has not returned within ${connectTimeoutMs} ms`);
    upgrade.giveUp({ status: 503, reason: "connect timed out", error, retryAfterMs: retryLaterMs });
  };
  const timer = gateway.clock.setTimeout(late, connectTimeoutMs);
  const { signal } = upgrade;
  try {
    return await Promise.race([ask({ ...request, signal }, options, gateway), upgrade.givenUp]);
  } finally {
    gateway.clock.clearTimeout(timer);
  }
}

/** Always resolves, unless the promise of `connect` never settles. */
function ask(request: ConnectRequest, options: ResolvedSocketOptions, gateway: Program): Promise<Authenticated> {
  return new Promise((resolve) => {
    const threw = (thrown: unknown): void => resolve(refusalOf(thrown));
    try {
      settle(connect(request, options, gateway), (assigns) => resolve(answerOf(assigns, gateway)), threw);
    } catch (thrown) {
      threw(thrown);
    }
  });
}

function answerOf(assigns: unknown, gateway: Program): Authenticated {
  hearPromises(assigns);
  if (assigns === null) return { status: 403, reason: "connect returned null" };
  try {
    return readAssigns(assigns, gateway.clock.systemTime());
  } catch (thrown) {
    return { status: 500, reason: "connect returned an invalid value", error: toError(thrown) };
  }
}

function refusalOf(thrown: unknown): ConnectRefusal {
  hearPromises(thrown);
  try {
    if (isConnectRefused(thrown)) {
      const { status, reason, retryAfterMs } = thrown;
      return {
        status,
        reason: errorText(reason),
        error: toError(thrown),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      };
    }
  } catch {
    // A value that cannot be inspected is not a deliberate refusal.
  }
  const error = genApiErrorIn(thrown);
  if (error !== null) return { status: 403, reason: error.reason, error };
  return { status: 500, reason: "connect threw", error: toError(thrown) };
}

function connect(request: ConnectRequest, options: ResolvedSocketOptions, gateway: Program): unknown {
  const since = loopTaken(gateway.clock);
  try {
    return callInOwnContext(options.connect, [request]);
  } finally {
    loopReleased(since, gateway, "connect", options.path);
  }
}
