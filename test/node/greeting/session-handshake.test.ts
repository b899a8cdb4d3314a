import { describe, expect, test } from "vitest";
import { streamWindow } from "../../../src/execution/stream-credit.ts";
import { proofOf, randomNonce } from "../../../src/node/greeting/proof.ts";
import { type PushToken, serviceTokens } from "../../../src/node/greeting/push-token.ts";
import {
  GatewayHandshake,
  type GatewayHandshakeOptions,
  NodeHandshake,
} from "../../../src/node/greeting/session-handshake.ts";

function gatewayOf(pushToken?: PushToken, options: Partial<GatewayHandshakeOptions> = {}) {
  return new GatewayHandshake({
    gateway: "gateway",
    tokens: serviceTokens(pushToken),
    isLoopback: true,
    nonce: randomNonce(),
    heartbeatMs: 1_000,
    missed: 3,
    streamWindow,
    ...options,
  });
}

function nodeOf(token: string | null = "secret", isLoopback = true, services: readonly string[] = ["users"]) {
  return new NodeHandshake({ node: "node_1", services, instance: "i", token, isLoopback, nonce: randomNonce() });
}

/** Lets the two greet each other. @returns what the node made of it */
function greet(node: NodeHandshake, gateway: GatewayHandshake) {
  const challenge = gateway.received(node.hello());
  if (challenge.kind !== "send") throw new Error("No challenge");
  const proof = node.received(challenge.message);
  if (proof.kind !== "send") throw new Error("No proof");
  const proven = gateway.received(proof.message);
  if (proven.kind !== "proven") throw new Error("Not proven");
  return node.received(proven.welcome);
}

const json = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());
const bytesOf = (message: unknown) => Buffer.from(JSON.stringify(message));

/** What a node sends to be let in. */
function exchange(node: NodeHandshake, gateway: GatewayHandshake) {
  const challenge = gateway.received(node.hello());
  if (challenge.kind !== "send") throw new Error("No challenge");
  const proof = node.received(challenge.message);
  if (proof.kind !== "send") throw new Error("No proof");
  return proof.message;
}

describe("the handshake", () => {
  test("lets in who has the token, and says how often heartbeats are due, and how much of a stream may be on its way", () => {
    const rules = { heartbeatMs: 500, missed: 5, streamWindow: 100 };
    const welcome = greet(nodeOf(), gatewayOf("secret", rules));
    expect(welcome).toEqual({ kind: "welcome", gateway: "gateway", ...rules });
  });

  test("lets in with each of several tokens, so that they can be changed one end after the other", () => {
    for (const token of ["old", "new"]) expect(greet(nodeOf(token), gatewayOf(["new", "old"])).kind).toBe("welcome");
  });

  test("lets a service's token serve that service, and one token several where it is the same", () => {
    expect(greet(nodeOf("b"), gatewayOf({ orders: "a", users: "b" })).kind).toBe("welcome");
    const two = nodeOf("b", true, ["users", "orders"]);
    expect(greet(two, gatewayOf({ orders: "b", users: "b" })).kind).toBe("welcome");
    const many = nodeOf("b", true, ["users", "orders"]);
    expect(() => greet(many, gatewayOf({ orders: "a", users: "b" }))).toThrow('does not allow the services "orders"');
  });

  test("needs no token on one machine, where neither end has one; off it, both ends refuse", () => {
    expect(greet(nodeOf(null), gatewayOf()).kind).toBe("welcome");
    expect(() => greet(nodeOf(null), gatewayOf(undefined, { isLoopback: false }))).toThrow("only on one machine");
    expect(() => nodeOf(null, false).hello()).toThrow("only on one machine");
    expect(() => greet(nodeOf("secret"), gatewayOf())).toThrow("no token that this gateway knows");
    expect(() => greet(nodeOf(null), gatewayOf("secret"))).toThrow("no token that this gateway knows");
  });

  test("never sends the token", () => {
    const token = "a token that is easily found";
    const gateway = gatewayOf(token);
    const node = nodeOf(token);
    const said = [node.hello(), exchange(node, gateway)].map((bytes) => Buffer.from(bytes).toString());
    expect(said.some((message) => message.includes(token))).toBe(false);
  });

  test("refuses a proof that was made for another handshake", () => {
    const proof = exchange(nodeOf(), gatewayOf("secret"));
    const gateway = gatewayOf("secret");
    gateway.received(nodeOf().hello());
    expect(() => gateway.received(proof)).toThrow("no token that this gateway knows");
  });

  test("refuses a recorded hello and proof that are sent again to the same gateway", () => {
    const node = nodeOf();
    const hello = node.hello();
    const challenge = gatewayOf("secret").received(hello);
    const proof = node.received(challenge.kind === "send" ? challenge.message : Buffer.alloc(0));
    if (proof.kind !== "send") throw new Error("No proof");
    const again = gatewayOf("secret");
    again.received(hello);
    expect(() => again.received(proof.message)).toThrow("no token that this gateway knows");
  });

  test("refuses a recorded challenge and welcome that are sent again to the same node", () => {
    const [gateway, node, again] = [gatewayOf("secret"), nodeOf(), nodeOf()];
    const challenge = gateway.received(node.hello());
    if (challenge.kind !== "send") throw new Error("No challenge");
    const proof = node.received(challenge.message);
    const proven = gateway.received(proof.kind === "send" ? proof.message : Buffer.alloc(0));
    if (proven.kind !== "proven") throw new Error("Not proven");
    again.hello();
    again.received(challenge.message);
    expect(() => again.received(proven.welcome)).toThrow("has not proven that it knows the token");
  });

  test("refuses a proof that only begins like the right one, or goes on after it", () => {
    const right = (length: number, more = "") => {
      const gateway = gatewayOf("secret");
      const proof = json(exchange(nodeOf(), gateway));
      return () => gateway.received(bytesOf({ ...proof, mac: proof.mac.slice(0, length) + more }));
    };
    expect(right(1_000)().kind).toBe("proven");
    for (const length of [42, 20, 1]) expect(right(length)).toThrow("no token that this gateway knows");
    expect(right(1_000, "A")).toThrow("no token that this gateway knows");
    expect(right(0)).toThrow();
  });

  test("refuses a proof under which the node says it is someone else, or serves something else", () => {
    for (const change of [{ node: "node_2" }, { services: ["orders"] }, { instance: "j" }]) {
      const gateway = gatewayOf("secret");
      const node = nodeOf();
      const challenge = gateway.received(bytesOf({ ...json(node.hello()), ...change }));
      const proof = node.received(challenge.kind === "send" ? challenge.message : Buffer.alloc(0));
      expect(() => gateway.received(proof.kind === "send" ? proof.message : Buffer.alloc(0))).toThrow("no token");
    }
  });

  test("refuses a gateway that does not know the token, even one that sends the node's own proof back", () => {
    const node = nodeOf();
    node.hello();
    const proof = node.received(bytesOf({ type: "challenge", gateway: "gateway", nonce: randomNonce() }));
    if (proof.kind !== "send") throw new Error("No proof");
    const { mac } = json(proof.message);
    const welcome = { type: "welcome", heartbeatMs: 1_000, missed: 3, streamWindow };
    expect(() => node.received(bytesOf({ ...welcome, mac }))).toThrow("has not proven that it knows the token");
  });

  test("tells why a gateway refused it, though that may have a code that this release does not know", () => {
    for (const code of ["no_such_code", "", 7, undefined]) {
      const node = nodeOf();
      node.hello();
      expect(() => node.received(bytesOf({ type: "refused", code, reason: "The gateway is full" }))).toThrow(
        expect.objectContaining({ code: "unavailable", message: "The gateway is full" }),
      );
    }
  });

  test("tells a node and a gateway apart in the proof", () => {
    const transcript = { gateway: "g", node: "n", services: [], instance: "i", nodeNonce: "a", gatewayNonce: "b" };
    expect(proofOf("node", transcript, "secret")).not.toBe(proofOf("gateway", transcript, "secret"));
  });

  const bad: [what: string, hello: unknown, message: string][] = [
    ["another version", { version: 1 }, "version"],
    ["no name", { node: "" }, "node"],
    ["a name that is too long", { node: "n".repeat(256) }, "node"],
    ["no services", { services: [] }, "services"],
    ["too many services", { services: Array.from({ length: 51 }, (_, at) => `s${at}`) }, "services"],
    ["a short nonce", { nonce: "1" }, "nonce"],
    ["another type", { type: "proof" }, "must go on with hello"],
  ];
  for (const [what, change, message] of bad) {
    test(`refuses a hello with ${what}`, () => {
      const hello = { ...json(nodeOf().hello()), ...(change as object) };
      expect(() => gatewayOf("secret").received(bytesOf(hello))).toThrow(message);
    });
  }

  test("refuses what is no JSON, no object, or too big", () => {
    for (const bytes of [Buffer.from("{"), Buffer.from([0xff, 0xfe]), Buffer.from("null"), Buffer.from("[]")]) {
      expect(() => gatewayOf("secret").received(bytes)).toThrow("must go on with hello");
    }
    expect(() => gatewayOf("secret").received(Buffer.alloc(20_000, 0x20))).toThrow("at most 16384 are allowed");
  });

  test("refuses heartbeats so often or so rare, and streams so narrow or so wide, that they cannot be meant", () => {
    for (const change of [
      { heartbeatMs: 0 },
      { heartbeatMs: 1e9 },
      { missed: 0 },
      { streamWindow: 31 },
      { streamWindow: 2_049 },
    ]) {
      const node = nodeOf();
      const gateway = gatewayOf("secret");
      const proven = gateway.received(exchange(node, gateway));
      if (proven.kind !== "proven") throw new Error("Not proven");
      expect(() => node.received(bytesOf({ ...json(proven.welcome), ...change }))).toThrow("must be");
    }
  });
});

describe("push tokens", () => {
  test("are refused when empty, wherever they are", () => {
    for (const pushToken of ["", [], ["a", ""], {}, { users: "" }]) {
      expect(() => serviceTokens(pushToken)).toThrowError(expect.objectContaining({ code: "invalid_option" }));
    }
  });
});
