import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { isLoopbackHost } from "../../../src/core/net/loopback.ts";
import { BrokerLink } from "../../../src/node/nats/broker-link.ts";
import { type NatsOptions, nats } from "../../../src/node/nats/nats.ts";
import { natsSettings } from "../../../src/node/nats/nats-options.ts";
import { signingKey } from "./sharing-gateway.ts";

const withToken = { hasToken: true };
const withoutToken = { hasToken: false };

describe("nats()", () => {
  test("finds no fault with its defaults, for a gateway with a key and for a node without", () => {
    expect(nats({ signingKey }).gatewayFaults(withoutToken)).toEqual([]);
    expect(nats().nodeFaults(withoutToken)).toEqual([]);
    const login = { user: "u", pass: "p", token: "t", authenticator: () => ({ user: "u" }), tls: { caFile: "ca.pem" } };
    const servers = ["tls://nats-1:4222", "nats-2", "[::1]:4222", "nats://10.0.0.5/", "nats.example:4222"];
    expect(nats({ servers, signingKey, ...login }).gatewayFaults(withToken)).toEqual([]);
  });

  test("requires the signing key of gateways, and forbids it to nodes", () => {
    expect(nats().gatewayFaults(withToken)).toEqual([
      "cluster.signingKey is required: gateways sign with it what they share, at least 32 characters",
    ]);
    expect(nats({ signingKey }).nodeFaults(withToken)).toEqual([
      "cluster.signingKey is the gateways' secret: a service node must not have it",
    ]);
  });

  test("takes a list of signing keys, of which the first signs", () => {
    const next = "another secret of the gateways, 32 characters or more";
    expect(nats({ signingKey: [next, signingKey] }).gatewayFaults(withToken)).toEqual([]);
    expect(natsSettings({ signingKey: [next, signingKey] }).signingKeys).toEqual([next, signingKey]);
    expect(natsSettings({ signingKey }).signingKeys).toEqual([signingKey]);
    expect(nats({ signingKey: [signingKey] }).nodeFaults(withToken)).toEqual([
      "cluster.signingKey is the gateways' secret: a service node must not have it",
    ]);
  });

  test("insists on TLS where a server is tls://", () => {
    expect(natsSettings({ servers: ["tls://nats-1"] }).authentication.tls).toEqual({});
    expect(natsSettings({ servers: "tls://nats-1", tls: { ca: "x" } }).authentication.tls).toEqual({ ca: "x" });
    expect(natsSettings({ servers: "nats://nats-1" }).authentication).toEqual({});
  });

  test("requires a token where a server is not on this machine", () => {
    const faults = nats({ servers: ["127.0.0.1", "10.0.0.5:4222"] }).nodeFaults(withoutToken);
    expect(faults).toEqual(["cluster.servers are not on this machine (10.0.0.5): that needs a pushToken"]);
  });

  const faulty: [options: unknown, fault: string][] = [
    [{ signingKey: "short" }, "cluster.signingKey must be at least 32 characters long"],
    [{ servers: [] }, "cluster.servers must be a server, or a list of at least one, got list"],
    ...(
      [
        ["http://x", "http://x"],
        ["ws://a", "ws://a"],
        ["nats://a:4222/path", "nats://a:4222/path"],
        ["nats://a?token=short", "nats://a?***"],
        ["nats://a:4222/?x=short#short", "nats://a:4222/?***"],
        ["nats://a,nats://b", "nats://a,nats://b"],
        ["a:99999", "a:99999"],
        ["", ""],
        // The client would ignore what comes before the @.
        ["nats://user:short@a:4222", "nats://***@a:4222"],
        ["user:short@a", "***@a"],
        ["nats://user:sho\nshort@a", "nats://***@a"],
      ] as const
    ).map(([server, shown]): [object, string] => [
      { servers: [server] },
      "cluster.servers[0] must be a NATS server such as nats://10.0.0.5:4222 or tls://nats.example:4222, " +
        `without credentials, path or query, got ${JSON.stringify(shown)}`,
    ]),
    [{ signingKey: [] }, "cluster.signingKey must be a string, or a list of one to 8"],
    [{ signingKey: Array(9).fill(signingKey) }, "cluster.signingKey must be a string, or a list of one to 8"],
    [{ signingKey: [signingKey, "short"] }, "cluster.signingKey[1] must be at least 32 characters long"],
    [{ signingKey: [4711] }, "cluster.signingKey[0] must be a string"],
    [{ signingKey: 4711 }, "cluster.signingKey must be a string"],
    [{ servers: 4222 }, "cluster.servers must be a server, or a list of at least one, got 4222"],
    [
      { prefix: "a.*" },
      'cluster.prefix must be one to four words of letters, digits, _ and -, with dots between, got "a.*"',
    ],
    [{ bucket: "a.b" }, 'cluster.bucket must be letters, digits, _ and -, got "a.b"'],
    [{ replicas: 6 }, "cluster.replicas must be a whole number from 1 to 5, got 6"],
    [{ announceMs: 1 }, "cluster.announceMs must be a whole number from 100 to 60000, got 1"],
    [{ tls: "short" }, "cluster.tls must be the TLS options of @nats-io/transport-node, got string"],
    [{ tls: true }, "cluster.tls must be the TLS options of @nats-io/transport-node, got boolean"],
    [
      { authenticator: "short" },
      "cluster.authenticator must be an authenticator of @nats-io/transport-node, or a list of them, got string",
    ],
    [
      { url: "nats://a" },
      'cluster has unknown keys: "url" (allowed: "servers", "user", "pass", "token", "authenticator", "tls", "prefix", "signingKey", "bucket", "maxEntries", "readTimeoutMs", "replicas", "announceMs")',
    ],
  ];
  test.each(faulty)("refuses %o", (options, fault) => {
    const faults = nats({ signingKey, ...(options as NatsOptions) }).gatewayFaults(withToken);
    expect(faults).toEqual([fault]);
    expect(faults.join()).not.toMatch(/short|4711/);
  });

  test("takes a server for this machine's own only where it listens nowhere else", () => {
    const link = (info: object) => {
      const connection = { info: { max_payload: 1, ...info } } as unknown as NatsConnection;
      return new BrokerLink(connection, true, () => undefined);
    };
    expect(link({ host: "127.0.0.1" }).isLoopback).toBe(true);
    expect(link({ host: "0.0.0.0" }).isLoopback).toBe(false);
    expect(link({ host: "127.0.0.1", cluster: "c" }).isLoopback).toBe(false);
  });

  test("tells a host on this machine from others", () => {
    for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]) expect(isLoopbackHost(host)).toBe(true);
    for (const host of ["0.0.0.0", "10.0.0.1", "127.0.0.1.evil.com", "::", "", "localhost.evil.com"]) {
      expect(isLoopbackHost(host)).toBe(false);
    }
  });
});
