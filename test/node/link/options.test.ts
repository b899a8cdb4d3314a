import { describe, expect, it } from "vitest";
import { link } from "../../../src/node/link/link.ts";
import type { GatewayLinkOptions, LinkOptions, NodeLinkOptions } from "../../../src/node/link/link-options.ts";
import { createAuthority } from "../../support/network/certificates.ts";
import { createScope } from "./open-link.ts";

const withToken = { hasToken: true };
const withoutToken = { hasToken: false };
const gatewayFaults = (options: unknown, role = withToken) => link(options as GatewayLinkOptions).gatewayFaults(role);
const nodeFaults = (options: unknown, role = withToken) => link(options as NodeLinkOptions).nodeFaults(role);

describe("the options of a gateway's link", () => {
  it("have defaults for everything", () => {
    expect([link().gatewayFaults(withoutToken), gatewayFaults({})]).toEqual([[], []]);
  });

  it.each([
    [{ path: "node" }, 'cluster.path must be a path such as "/node", got "node"'],
    [{ path: "/node?token=x" }, 'cluster.path must be a path such as "/node", got "/node?token=x"'],
    [{ listen: { port: 65_536 } }, "cluster.listen.port must be a port from 0 to 65535, got 65536"],
    [{ listen: { host: "", port: 1 } }, 'cluster.listen.host must be a non-empty string, got ""'],
    [{ insecure: "yes" }, 'cluster.insecure must be true or false, got "yes"'],
    [{ maxConnections: 0 }, "cluster.maxConnections must be a whole number of at least 1, got 0"],
    [{ maxMessageBytes: 1.5 }, "cluster.maxMessageBytes must be a whole number of at least 1, got 1.5"],
    [
      { gateways: ["ws://127.0.0.1:4000/node"] },
      /^cluster has unknown keys: "gateways" \(allowed: "maxMessageBytes", .*"maxConnections"/,
    ],
    [{ listen: { port: 0, tls: { cert: "x" } } }, /^cluster\.listen\.tls cannot be used: /],
  ])("%j are refused by path", (options, fault) => {
    expect(gatewayFaults(options)).toEqual([typeof fault === "string" ? fault : expect.stringMatching(fault)]);
  });

  it("must be safe where the port is not of this machine alone", () => {
    const { cert, key } = createAuthority().issue("gateway", "gateway.example");
    const listen = { host: "0.0.0.0", port: 0 };
    expect(gatewayFaults({ listen })).toEqual([
      'cluster.listen.host must be a loopback address without cluster.listen.tls or cluster.insecure: true, got "0.0.0.0"',
    ]);
    expect(gatewayFaults({ listen, insecure: true }, withoutToken)).toEqual([
      'cluster.listen.host must be a loopback address without a pushToken, got "0.0.0.0"',
    ]);
    expect(gatewayFaults({ listen, insecure: true })).toEqual([]);
    expect(gatewayFaults({ listen: { ...listen, tls: { cert, key } } })).toEqual([]);
    expect(gatewayFaults({ listen: { host: "::1", port: 0 } }, withoutToken)).toEqual([]);
  });

  it("that are wrong open nothing", () => {
    const { scope } = createScope();
    expect(() => link({ path: "node" }).openGateway(scope)).toThrow("cluster.path must be");
    expect(() => link({ gateways: [] }).openNode(scope)).toThrow("cluster.gateways must name at least one gateway");
  });
});

describe("the options of a service node's link", () => {
  it.each([
    [{}, "cluster.gateways must be a list of the gateways' URLs, got nothing"],
    [{ gateways: "ws://127.0.0.1" }, 'cluster.gateways must be a list of the gateways\' URLs, got "ws://127.0.0.1"'],
    [{ gateways: [] }, "cluster.gateways must name at least one gateway"],
    [{ gateways: ["http://127.0.0.1/"] }, 'cluster.gateways[0] must be a ws:// or wss:// URL, got "http://127.0.0.1/"'],
    [{ gateways: ["gateway"] }, 'cluster.gateways[0] must be a ws:// or wss:// URL, got "gateway"'],
    [{ gateways: [4000] }, "cluster.gateways[0] must be a ws:// or wss:// URL, got 4000"],
    [
      { gateways: ["ws://127.0.0.1:4000/node", "ws://127.0.0.1:4000/node"] },
      'cluster.gateways[1] must be another gateway, got "ws://127.0.0.1:4000/node" again',
    ],
    [
      { gateways: ["wss://gateway.example", "wss://Gateway.example:443/"] },
      'cluster.gateways[1] must be another gateway, got "wss://Gateway.example:443/" again',
    ],
    [
      { gateways: ["ws://10.0.0.7/node"] },
      'cluster.gateways[0] must be a wss:// URL, or on this machine, without cluster.insecure: true, got "ws://10.0.0.7/node"',
    ],
    [
      { gateways: ["wss://g/"], connectTimeoutMs: 0 },
      "cluster.connectTimeoutMs must be a whole number of at least 1, got 0",
    ],
    [{ gateways: ["wss://g/"], tls: "a passphrase" }, "cluster.tls must be options of Node's tls, got string"],
    [{ gateways: ["wss://g/"], tls: { key: "x" } }, /^cluster\.tls cannot be used: /],
    [
      { gateways: ["wss://g/"], path: "/node" },
      /^cluster has unknown keys: "path" \(allowed: "maxMessageBytes", .*"gateways"/,
    ],
  ])("%j are refused by path", (options, fault) => {
    expect(nodeFaults(options)).toEqual([typeof fault === "string" ? fault : expect.stringMatching(fault)]);
  });

  it("let a node speak without a token on its own machine alone", () => {
    expect(nodeFaults({ gateways: ["ws://localhost:4000/node", "ws://[::1]:4000/node"] }, withoutToken)).toEqual([]);
    expect(nodeFaults({ gateways: ["wss://gateway.example/node"] }, withoutToken)).toEqual([
      'cluster.gateways[0] must be on this machine without a pushToken, got "wss://gateway.example/node"',
    ]);
    expect(nodeFaults({ gateways: ["ws://10.0.0.7/node"], insecure: true })).toEqual([]);
  });

  it.each([
    "ws://user:sesame@127.0.0.1:4000/node",
    "ws://sesame@127.0.0.1:4000/node",
    "wss://gateway.example/node?token=sesame",
    "wss://gateway.example/node#sesame",
    "user:sesame@gateway.example",
    "http://user:se/sam@sesame@gateway.example/",
    "ws://user:sesame@",
  ])("%s is refused, and no secret in it told", (url) => {
    for (const options of [{ gateways: [url] }, { gateways: ["ws://127.0.0.1/node", url, url] }]) {
      const faults = nodeFaults(options);
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.join()).not.toMatch(/sesame|se\/sam/);
    }
  });
});

describe("the types of a link's options", () => {
  it("are a gateway's or a node's, never both", () => {
    const gateways = ["ws://127.0.0.1:4000/node"];
    const tls = {};
    // @ts-expect-error: only a gateway has a path
    link({ gateways, path: "/x" });
    // @ts-expect-error: only a gateway listens
    link({ gateways, listen: { port: 0 } });
    // @ts-expect-error: only a gateway bounds connections
    link({ gateways, maxConnections: 1, maxUnprovenPerAddress: 1 });
    // @ts-expect-error: a gateway's TLS is that of its port
    link({ path: "/x", tls });
    // @ts-expect-error: only a node dials
    link({ path: "/x", connectTimeoutMs: 1 });
    // @ts-expect-error: unknown to both
    link({ paht: "/x" });
    const ofGateway: GatewayLinkOptions = { path: "/x", insecure: true };
    const ofNode: NodeLinkOptions = { gateways, tls, insecure: true };
    const ofEither: LinkOptions = Math.random() < 2 ? ofGateway : ofNode;
    const own: GatewayLinkOptions | NodeLinkOptions = ofEither;
    for (const options of [ofGateway, ofNode, ofEither, own, { maxMessageBytes: 1 }, {}]) {
      expect(link(options).name).toBe("link");
    }
    link({ gateways, ...(Math.random() < 2 ? { tls } : {}) });
    link({ path: "/x", ...(Math.random() < 2 ? { listen: { port: 0 } } : {}) });
  });
});
