import { describe } from "vitest";
import { link } from "../../../src/node/link/link.ts";
import type { GatewayLinkOptions, NodeLinkOptions } from "../../../src/node/link/link-options.ts";
import { createAuthority } from "../../support/network/certificates.ts";
import { until } from "../../support/until.ts";
import { describeTransport, type TransportUnderTest } from "../transport-contract.ts";

const sockets = () => process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name)).length;

function underTest(listen: GatewayLinkOptions["listen"], tls?: NodeLinkOptions["tls"]): TransportUnderTest {
  const before = sockets();
  return {
    gateway: link({ listen: { port: 0, ...listen } }),
    node: ({ address }) => link({ gateways: [address?.url ?? ""], ...(tls === undefined ? {} : { tls }) }),
    async close() {
      await until(() => sockets() <= before);
    },
    // Both ends of a closed pipe take leave of each other first.
    async leftBehind() {
      await until(() => sockets() <= before);
      return sockets() - before;
    },
  };
}

const authority = createAuthority();

// Each in a group of its own, because the contract's hooks are for all tests beside it.
describe("plain", () => describeTransport("a link", () => underTest({ port: 0 })));
describe("with TLS", () =>
  describeTransport("a link with TLS", () =>
    underTest({ port: 0, tls: authority.issue("gateway", "127.0.0.1") }, { ca: authority.cert }),
  ));
