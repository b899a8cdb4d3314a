import { documentOf } from "../description/documents/document.ts";
import type { DescribedIdentity, GatewayDescription } from "../description/gateway-description.ts";
import { describedOf } from "./admin-requests.ts";
import { type AdminRoute, json } from "./admin-route.ts";

/** The endpoint that describes the gateway, in one of the forms of a description. */
export function describeRoute(describe: (identity?: DescribedIdentity) => GatewayDescription): AdminRoute {
  return {
    method: "POST",
    path: "/api/describe",
    async answer({ body }) {
      const { format, service, url, identity } = describedOf(body);
      const all = describe(identity);
      const services = all.services.filter((each) => service === null || each.service === service);
      return json(documentOf(format, { ...all, services }, { url: url === null ? undefined : new URL(url) }));
    },
  };
}
