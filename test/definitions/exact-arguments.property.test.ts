import fc from "fast-check";
import type { Gateway, NodeTransport } from "gen-api";
import { startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { here, there } from "../fixtures/definitions/exact.js";
import { anyCharacter } from "../support/any-character.ts";
import { keep, nodeUrlOf, startGateway } from "../support/cluster.ts";
import { NatsServer } from "../support/nats/nats-server.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

interface Cluster {
  gateway(): NodeTransport;
  node(gateway: Gateway): NodeTransport;
}

const clusters: Record<string, Cluster> = {
  "over a link": { gateway: () => link(), node: (gateway) => link({ gateways: [nodeUrlOf(gateway)] }) },
  "over NATS": {
    gateway: () => nats({ servers: server.url, signingKey: "a key of the gateways alone, long enough" }),
    node: () => nats({ servers: server.url }),
  },
};

// Halves of surrogate pairs, what begins a file, what stands for unreadable text.
const part = fc.constantFrom("a", "é", "😀", "\ud83d", "\ude00", "\udc00", "\ufeff", "\ufffd", "\0", '"', "\\");
const text = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.array(part, { maxLength: 40 }).map((parts) => parts.join("")),
  fc.tuple(part, fc.integer({ min: 60, max: 70_000 })).map(([unit, length]) => unit.repeat(length)),
);
const isAllowed = (key: string) => !["__proto__", "constructor", "prototype"].includes(key);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false, -0, 0, 2 ** 31, 2 ** 53, 2 ** 63, -(2 ** 63), 5e-324, 1e308, 0.1, -1.5),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    text,
    fc.array(tie("value"), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.string({ unit: anyCharacter }).filter(isAllowed), tie("value")), { maxLength: 5 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));
const request = fc.record({
  args: fc.record({
    value,
    at: fc.option(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(253_402_300_799_999) })),
  }),
  requestId: fc.oneof(fc.constantFrom("a\udc00b"), fc.string({ minLength: 1 })),
  userId: fc.option(fc.array(part, { maxLength: 5 }).map((parts) => parts.join(""))),
  deviceId: fc.option(fc.string({ unit: anyCharacter })),
  userRoles: fc.array(text, { maxLength: 2 }),
  claims: fc
    .array(fc.tuple(fc.string({ unit: anyCharacter }).filter(isAllowed), value), { maxLength: 3 })
    .map((entries) => Object.fromEntries(entries))
    .filter((claims) => Buffer.byteLength(JSON.stringify(claims)) <= 8_192),
});

describe.each(Object.entries(clusters))("a node, %s,", (_how, cluster) => {
  test("is given exactly what a thread is given: arguments, and who asks", async () => {
    const pushToken = "secret";
    const gateway = await startGateway({ cluster: cluster.gateway(), functions: [here], pushToken });
    const options = { name: "exact@1", functions: [there], pushToken, workerPool: { threads: 1 } };
    const node = keep(await startServiceNode({ logger: false, ...options, cluster: cluster.node(gateway) }));
    await node.connected();
    const tell = (service: string, { args, ...who }: { args: Record<string, unknown> }) =>
      gateway.call({ service, requestType: "tell", args, ...who });
    await fc.assert(
      fc.asyncProperty(request, async ({ args: { value, at }, ...who }) => {
        const args = { value, at: at?.toISOString() ?? null };
        const [onThread, onNode] = await Promise.all([tell("here", { args, ...who }), tell("there", { args, ...who })]);
        expect(onNode).toBe(onThread);
      }),
      { numRuns: 150 },
    );
  });
});
