import { isGenApiError, libraryError, toError } from "../core/errors.ts";
import { loopReleased, loopTaken, type Program } from "../telemetry/main-loop.ts";
import { type Assigns, checkAssigns } from "./assigns.ts";
import type { Refusal } from "./handshake.ts";
import type { ConnectRequest, ResolvedSocketOptions } from "./socket-options.ts";

/**
 * Asks the host's `connect` who a client is. Always resolves, within `connectTimeoutMs` or when `signal` aborts, whose
 * reason is then the refusal.
 */
export async function authenticate(
  request: ConnectRequest,
  options: ResolvedSocketOptions,
  gateway: Program,
  signal: AbortSignal,
): Promise<{ readonly assigns: Assigns } | Refusal> {
  const { clock } = gateway;
  const { connectTimeoutMs } = options;
  let timer: unknown;
  const givenUp = new Promise<Refusal>((resolve) => {
    const late = () => {
      const error = libraryError("timeout", `connect has not returned within ${connectTimeoutMs} ms`);
      resolve({ status: 503, reason: "connect timed out", error });
    };
    timer = clock.setTimeout(late, connectTimeoutMs);
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
  try {
    return await Promise.race([ask(request, options, gateway), givenUp]);
  } finally {
    clock.clearTimeout(timer);
  }
}

async function ask(
  request: ConnectRequest,
  options: ResolvedSocketOptions,
  gateway: Program,
): Promise<{ readonly assigns: Assigns } | Refusal> {
  let assigns: Assigns | null;
  try {
    assigns = await connect(request, options, gateway);
  } catch (thrown) {
    if (isGenApiError(thrown)) return { status: 403, reason: thrown.reason, error: thrown };
    return { status: 500, reason: "connect threw", error: toError(thrown) };
  }
  if (assigns === null) return { status: 403, reason: "connect returned null" };
  try {
    return { assigns: checkAssigns(assigns) };
  } catch (thrown) {
    return { status: 500, reason: "connect returned what it must not", error: toError(thrown) };
  }
}

function connect(request: ConnectRequest, options: ResolvedSocketOptions, gateway: Program) {
  const since = loopTaken(gateway.clock);
  try {
    return options.connect(request);
  } finally {
    loopReleased(since, gateway, "connect", options.path);
  }
}
