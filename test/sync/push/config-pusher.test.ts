import { describe, expect, test } from "vitest";
import { type Ask, ConfigPusher } from "../../../src/sync/push/config-pusher.ts";
import { codeOf } from "../../actor/supervisor/real-tree.ts";
import { fun, openReceiver } from "../open-receiver.ts";

/** Notes what is asked on the way. */
function noting(ask: Ask) {
  const asked: { name: string; body: Record<string, unknown> }[] = [];
  const note: Ask = (name, body) => {
    asked.push({ name, body: body as Record<string, unknown> });
    return ask(name, body);
  };
  return { asked, ask: note };
}

const slices = (asked: { name: string; body: Record<string, unknown> }[]) =>
  asked.flatMap(({ name, body }) => (name === "push_slice" ? [(body.functions as unknown[]).length] : []));

describe("a node that pushes", () => {
  test('keeps to itself where its functions run: nodes "local" and runOn are left out', async () => {
    const functions = [
      fun("get", { runOn: "main" }),
      fun("put", { nodes: ["a"] }),
      fun("del", { nodes: { module: "pushable", function: "f" } }),
    ];
    const pusher = new ConfigPusher({ service: "users", functions });
    expect(pusher.functions).toEqual([
      { service: "users", requestType: "get", timeout: 1_000, mfa: "users.get" },
      { service: "users", requestType: "put", timeout: 1_000, mfa: "users.put", nodes: ["a"] },
      expect.objectContaining({ nodes: { module: "pushable", function: "f" } }),
    ]);
    await using gateway = openReceiver();
    expect(await pusher.push(gateway.session("a"))).toEqual({ outcome: "accepted", accepted: 3, refused: [] });
  });

  test("sends as many functions in a slice as the gateway wants, one slice after another", async () => {
    await using gateway = openReceiver();
    const functions = Array.from({ length: 120 }, (_, index) => fun(`type ${index}`));
    const { asked, ask } = noting(gateway.session("a"));
    await new ConfigPusher({ service: "users", functions }).push(ask);
    expect(slices(asked)).toEqual([50, 50, 20]);
    expect(asked.map(({ name }) => name)).toEqual(["push_begin", ...Array(3).fill("push_slice"), "push_end"]);
    expect(asked[0]?.body).toMatchObject({ service: "users", count: 120, force: false, pull: null });
  });

  test("sends no slice of more than 256 KiB, unless one function alone has more", async () => {
    await using gateway = openReceiver({ limits: { maxConfigBytes: 1_000_000 } });
    const sized = (name: string, size: number) =>
      fun(name, { mfa: { module: "users", function: "f", args: ["x".repeat(size)] } });
    const functions = [sized("a", 100_000), sized("b", 100_000), sized("c", 100_000), sized("d", 500_000), fun("e")];
    const { asked, ask } = noting(gateway.session("a"));
    expect(await new ConfigPusher({ service: "users", functions }).push(ask)).toMatchObject({ accepted: 5 });
    expect(slices(asked)).toEqual([2, 1, 1, 1]);
  });

  test("is told all refused functions, whatever slice they were in", async () => {
    await using gateway = openReceiver({ limits: { sliceSize: 1 } });
    const functions = [fun("a", { timeout: 1 }), fun("b"), fun("c", { timeout: 1 })];
    const outcome = await new ConfigPusher({ service: "users", functions }).push(gateway.session("a"));
    expect(outcome).toMatchObject({ accepted: 1, refused: [{ requestType: "a" }, { requestType: "c" }] });
  });

  test("verifies that the gateway has its version", async () => {
    await using gateway = openReceiver();
    const pusher = new ConfigPusher({ service: "users", functions: [fun("get")] });
    const ask = gateway.session("a");
    expect(await pusher.verify(ask)).toEqual({ outcome: "not_found" });
    await pusher.push(ask);
    expect(await pusher.verify(ask)).toEqual({ outcome: "matched" });
    const other = new ConfigPusher({ service: "users", functions: [fun("put")] });
    expect(await other.verify(ask)).toEqual({ outcome: "mismatch", gatewayVersion: pusher.configVersion });
  });

  test("hears what the gateway refused with, and refuses an answer that it cannot understand", async () => {
    const pusher = new ConfigPusher({ service: "users", functions: [fun("get")] });
    await expect(pusher.push(() => Promise.reject(new Error("lost")))).rejects.toThrow("lost");
    for (const answer of [null, {}, { outcome: "continue", push: 1, sliceSize: 0 }, { outcome: "accepted" }]) {
      expect(await codeOf(pusher.push(async () => answer))).toBe("invalid_request");
    }
  });
});

test("The version of functions without one follows from all of their contents, their order too", () => {
  const versionOf = (...names: string[]) =>
    new ConfigPusher({ service: "users", functions: names.map((name) => fun(name)) }).configVersion;
  expect(versionOf("a", "b")).toBe(versionOf("a", "b"));
  expect(new Set([versionOf(), versionOf("a"), versionOf("a", "b"), versionOf("b", "a")]).size).toBe(4);
  expect(versionOf("a")).toMatch(/^[0-9a-f]{32}$/);
});
