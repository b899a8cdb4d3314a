import type { RunningCall } from "../../src/call/request/running-calls.ts";

/** A call that a test ends itself; when its client is gone it is aborted. */
export function runningCall({
  requestId,
  isStream = false,
  abort,
  stop = () => undefined,
}: {
  readonly requestId: string;
  readonly isStream?: boolean;
  readonly abort: (reason: string) => unknown;
  readonly stop?: () => unknown;
}): RunningCall {
  return {
    requestId,
    isStream,
    abort: (reason) => void abort(reason),
    detach: () => void abort("disconnected"),
    stop: () => void stop(),
    acknowledge: () => false,
  };
}
