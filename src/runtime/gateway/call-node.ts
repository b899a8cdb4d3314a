import type { Mfa } from "../../config/fun-config.ts";
import { type GenApiError, libraryError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { CancelReason, RunningTask } from "../../execution/worker-call.ts";
import type { RemoteNode } from "../../node/calls/remote-call.ts";
import type { CallLimits } from "../../sync/pull-functions.ts";
import { pushDefaults } from "../../sync/push/push.ts";

// As much as a node may push.
const { maxPushBytes: maxResultBytes } = pushDefaults;

/**
 * Calls a function of a service node for the gateway itself, not for a client.
 *
 * @returns the function's result, parsed from JSON
 * @param node null if it cannot be called, or not for the service
 * @throws GenApiError (as a rejection) the function's error; `unavailable` if the node cannot be called; `timeout`;
 * `stopped` when the signal aborts
 */
export function callNode(
  node: RemoteNode | null,
  mfa: Mfa,
  { timeoutMs, signal }: CallLimits,
  clock: Clock,
): Promise<unknown> {
  const { module, function: name, args } = mfa;
  return new Promise((resolve, reject) => {
    if (node === null) {
      reject(libraryError("unavailable", "The node is not connected, or does not serve the service"));
      return;
    }
    if (signal.aborted) {
      reject(stopped(mfa));
      return;
    }
    let task: RunningTask | undefined;
    const giveUp = (reason: CancelReason, error: GenApiError) => {
      over();
      task?.cancel(reason);
      reject(error);
    };
    // Before the call, which may be refused at once.
    const timer = clock.setTimeout(
      () => giveUp("timeout", libraryError("timeout", `${module}.${name} did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const onAbort = () => giveUp("stopped", stopped(mfa));
    signal.addEventListener("abort", onAbort);
    const over = () => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    task = node.run({
      service: module,
      requestType: name,
      version: null,
      module,
      moduleName: module,
      function: name,
      ofService: false,
      args,
      identity: null,
      trace: null,
      maxResultBytes,
      isCast: false,
      succeeded(json) {
        over();
        resolve(JSON.parse(json));
      },
      failed(error) {
        over();
        reject(error);
      },
    });
  });
}

const stopped = ({ module, function: name }: Mfa): GenApiError =>
  libraryError("stopped", `The result of ${module}.${name} is no longer needed`);
