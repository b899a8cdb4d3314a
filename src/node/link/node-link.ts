import { childSpec } from "../../actor/supervisor/child-spec.ts";
import { startSystem } from "../../actor/system.ts";
import type { Endpoint, TransportScope } from "../node-transport.ts";
import { dialerActor } from "./dialer.machine.ts";
import type { ResolvedNodeLink } from "./link-options.ts";

/** Keeps a link to every gateway: a supervised dialer for each, so that the crash of one does not affect the others. */
export function openNodeLink(options: ResolvedNodeLink, scope: TransportScope): Endpoint {
  const children = options.gateways.map((gateway) =>
    childSpec({ id: gateway, logic: dialerActor, input: { gateway, options, scope } }),
  );
  const system = startSystem({ name: `links of ${scope.name}`, program: scope.name, clock: scope.clock, children });
  system.closed.then((closed) => {
    if (closed.reason === "error") scope.fail(closed.error);
  });
  return { close: () => void system.shutdown() };
}
