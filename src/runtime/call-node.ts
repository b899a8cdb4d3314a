import type { Mfa } from "../config/fun-config.ts";
import { pushDefaults } from "../config/push.ts";
import type { Clock } from "../core/clock.ts";
import { libraryError } from "../core/errors.ts";
import type { RemoteNode } from "../node/remote-call.ts";

// As much as a node may push.
const { maxPushBytes: maxResultBytes } = pushDefaults;

/**
 * Calls a function of a service node for the gateway itself, not for a client.
 *
 * @returns what it returned, from its JSON
 * @param node null where it cannot be called, or not for the service
 * @throws GenApiError what the function threw; `unavailable` where the node cannot be called; `timeout`
 */
export function callNode(node: RemoteNode | null, mfa: Mfa, timeoutMs: number, clock: Clock): Promise<unknown> {
  const { module, function: name, args } = mfa;
  return new Promise((resolve, reject) => {
    if (node === null) {
      reject(libraryError("unavailable", "The node is not connected, or does not serve the service"));
      return;
    }
    let timer: unknown;
    const task = node.run({
      service: module,
      requestType: name,
      version: null,
      module,
      function: name,
      args,
      identity: null,
      trace: null,
      maxResultBytes,
      isCast: false,
      succeeded(json) {
        clock.clearTimeout(timer);
        resolve(JSON.parse(json));
      },
      failed(error) {
        clock.clearTimeout(timer);
        reject(error);
      },
    });
    timer = clock.setTimeout(() => {
      task.cancel("timeout");
      reject(libraryError("timeout", `${module}.${name} did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
  });
}
