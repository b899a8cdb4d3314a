import { describe, expect, test } from "vitest";
import { type Failure, internal, refusal, unavailable } from "../../src/call/request/failure.ts";
import type { FunConfigInput } from "../../src/config/fun-config.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { pipelineOf } from "../support/pipeline.ts";
import { recordEvents } from "../support/record-events.ts";

/** Random selection takes the middle one of three: the support's random number is 0.5. */
const three = ["a", "b", "c"];
const remote = {
  requestType: "get",
  nodes: three,
  mfa: "users.get",
  argTypes: { id: "string" },
  runOn: "worker",
} as const;
const one = { args: { id: "1" } };

async function remotePipeline(config: Partial<FunConfigInput> = {}, live: readonly string[] = three) {
  const started = await pipelineOf({ ...remote, nodes: [...three], ...config });
  started.nodes.up(...live);
  return started;
}

const failed = (code: ErrorCode): Failure => refusal(code, code, true);
const codes = (sent: readonly { response: Record<string, unknown> }[]) =>
  sent.map(({ response }) => response.error_code ?? (response.async ? "accepted" : response.result));

describe("a function that nodes run", () => {
  test("is sent to none that came for another service, not even again when it had been there", async () => {
    const { request, nodes, sent, clock } = await remotePipeline({ retry: { sameNode: 2 } }, ["a"]);
    nodes.upFor("another", "b");
    request("get", one);
    nodes.upFor("another", "a");
    nodes.calls[0]?.call.failed(unavailable as never, true);
    clock.advance(100);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a"]);
    nodes.up("c");
    clock.advance(200);
    nodes.calls[1]?.call.succeeded("7");
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a", "c"]);
    expect(codes(sent)).toEqual([7]);
  });

  test("is sent to one of them, with the names that the node knows it by", async () => {
    const { request, nodes, sent } = await remotePipeline();
    request("get", one);
    expect(nodes.calls).toMatchObject([
      { node: "b", call: { service: "s", requestType: "get", module: "users", function: "get", args: ["1"] } },
    ]);
    expect(nodes.calls[0]?.call).toMatchObject({ isCast: false, identity: null, maxResultBytes: 1_000 });
    nodes.calls[0]?.call.succeeded('{"id":"1"}');
    expect(sent).toMatchObject([{ response: { success: true, result: { id: "1" } } }]);
  });

  test("need not be in the gateway's modules or allowlist; its hooks and its resolver do", async () => {
    await expect(pipelineOf({ ...remote, nodes: three, permissionCallback: "users.may" })).resolves.toBeDefined();
    for (const [field, config] of [
      ["beforeExecute", { beforeExecute: "users.before" }],
      ["afterExecute", { afterExecute: "users.after" }],
      ["nodes", { nodes: { module: "users", function: "where" } }],
    ] as const) {
      await expect(pipelineOf({ ...remote, nodes: three, ...config })).rejects.toMatchObject({
        code: "invalid_config",
        message: expect.stringContaining(`${field}.module must be one of the gateway's modules`),
      });
    }
    const unreadable = pipelineOf({ ...remote, nodes: { module: "resolvers", function: "notAFunction" } });
    await expect(unreadable).rejects.toMatchObject({ code: "function_missing" });
  });

  test("is taken over by an earlier version while none of its own nodes lives, for requests that name no version", async () => {
    const { request, nodes, sent } = await pipelineOf(
      { ...remote, requestType: "get", version: "1.0.0", nodes: ["a"] },
      { ...remote, requestType: "get", version: "2.0.0", nodes: ["b"] },
      { ...remote, requestType: "get", version: "3.0.0-rc.1", nodes: ["a"] },
    );
    const askedBy = (version: string | null) => {
      request("get", version === null ? one : { ...one, version });
      const { node, call } = nodes.calls.at(-1) ?? {};
      return nodes.calls.splice(0).length === 0 ? codes(sent.splice(0))[0] : `${node} ${call?.version}`;
    };
    nodes.up("a", "b");
    expect([askedBy(null), askedBy("0.0.0")]).toEqual(["b 2.0.0", "b 2.0.0"]);
    nodes.down("b");
    expect([askedBy(null), askedBy("0.0.0"), askedBy("2.0.0")]).toEqual(["a 1.0.0", "a 1.0.0", "unavailable"]);
    nodes.down("a");
    expect(askedBy(null)).toBe("unavailable");
    nodes.up("b");
    expect(askedBy(null)).toBe("b 2.0.0");
  });

  test("is taken over by the gateway's own earlier one, but not where a resolver says which its nodes are", async () => {
    const own = { requestType: "echo", version: null, argTypes: { msg: "string" } } as const;
    const request = { args: { msg: "here" } };
    const listed = await pipelineOf(own, { ...own, version: "1.0.0", nodes: ["a"] });
    listed.request("echo", request);
    expect(codes(listed.sent)).toEqual(["here"]);
    Object.assign(globalThis, { resolveNodes: () => ["a"] });
    const nodes = { module: "resolvers", function: "asTold" };
    const resolved = await pipelineOf(own, { ...own, version: "1.0.0", nodes });
    for (let count = 0; count < 2; count++) resolved.request("echo", request);
    expect(codes(resolved.sent)).toEqual(["unavailable", "unavailable"]);
  });

  test("is unavailable while none of them lives, and costs nobody a permission question then", async () => {
    const { request, nodes, sent } = await remotePipeline({ permissionCallback: "users.may" }, []);
    request("get", one);
    expect(codes(sent)).toEqual(["unavailable"]);
    expect(sent[0]).toMatchObject({ response: { can_retry: true }, reply: { status: "ok" } });
    nodes.up("c");
    request("get", one);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["c"]);
  });

  test("that needs no answer is sent as a cast, acknowledged, and goes on when its client is gone", async () => {
    const { request, nodes, sent, replies } = await remotePipeline({ responseType: "none" });
    const { calls } = request("get", one);
    expect(nodes.calls[0]?.call.isCast).toBe(true);
    expect([replies, sent]).toEqual([[{ status: "ok", response: "get" }], []]);
    calls.abortAll("disconnected");
    expect(nodes.calls[0]?.cancelled).toBeNull();
  });

  test("hears on its node that the call was cancelled, or is late", async () => {
    const { request, nodes, sent, clock } = await remotePipeline();
    request("get", one).calls.cancel("r1")?.();
    request("get", one);
    clock.advance(1_000);
    expect(nodes.calls.map(({ cancelled }) => cancelled)).toEqual(["cancelled", "timeout"]);
    nodes.calls[1]?.call.succeeded("1");
    expect(codes(sent)).toEqual(["cancelled", "timeout"]);
    expect(nodes.calls.length).toBe(2);
  });

  test("tells telemetry which node ran it", async () => {
    using events = recordEvents("executor.request.stop", "executor.request.exception");
    const { request, nodes } = await remotePipeline();
    nodes.refusing.add("b");
    request("get", one);
    nodes.calls[1]?.call.failed(internal(new Error("x")) as never, true);
    request("get", { args: {} });
    nodes.down(...three);
    request("get", one);
    const [exception, stop, refused, unselected] = events.messages.map(({ metadata }) => metadata);
    expect([exception, stop]).toMatchObject([{ node: nodes.calls[1]?.node }, { node: nodes.calls[1]?.node }]);
    // Selected, but never sent.
    expect(refused).toMatchObject({ node: "b", error_code: "invalid_argument" });
    expect(unselected).toMatchObject({ node: null, error_code: "unavailable" });
  });
});

describe("a node is selected", () => {
  test("round robin per FunConfig: versions and functions take their own turns", async () => {
    const { request, nodes, functionTable } = await remotePipeline({ chooseNodeMode: "roundRobin", version: "1.0.0" });
    const other = await pipelineOf({ ...remote, nodes: [...three], chooseNodeMode: "roundRobin", version: "2.0.0" });
    for (const entry of other.functionTable.entries()) functionTable.put(entry);
    for (let turn = 0; turn < 4; turn++) {
      request("get", { ...one, version: "1.0.0" });
      request("get", { ...one, version: "2.0.0" });
    }
    expect(nodes.calls.map(({ node }) => node).join("")).toBe("aabbccaa");
  });

  test("by the argument, or the connection's user, that hash and sticky name", async () => {
    const hashed = await remotePipeline({ chooseNodeMode: { hash: "id" } });
    for (let index = 0; index < 20; index++) hashed.request("get", one);
    expect(new Set(hashed.nodes.calls.map(({ node }) => node)).size).toBe(1);
    const sticky = await remotePipeline({ chooseNodeMode: { sticky: "userId" } }, ["a"]);
    sticky.request("get", { args: { id: "1" } });
    sticky.nodes.up("b", "c");
    for (let index = 0; index < 20; index++) sticky.request("get", { args: { id: String(index) } });
    expect(new Set(sticky.nodes.calls.map(({ node }) => node))).toEqual(new Set(["a"]));
  });

  test("and a sticky key stays there though its node once refused a call", async () => {
    const { request, nodes } = await remotePipeline({ chooseNodeMode: { sticky: "userId" } });
    request("get", one);
    const home = nodes.calls[0]?.node as string;
    nodes.refusing.add(home);
    request("get", one);
    nodes.refusing.clear();
    request("get", one);
    expect(nodes.calls.map(({ node }) => node === home)).toEqual([true, true, false, true]);
  });
});

describe("a call that a node refused before it began", () => {
  test("goes at once to another live node, to none of them twice, and needs no retry for that", async () => {
    using events = recordEvents("executor.retry");
    const { request, nodes, sent } = await remotePipeline();
    request("get", one);
    nodes.calls[0]?.call.failed(unavailable as never, false);
    nodes.calls[1]?.call.failed(unavailable as never, false);
    expect(nodes.calls.map(({ node }) => node).toSorted()).toEqual(three);
    expect(sent).toEqual([]);
    nodes.calls[2]?.call.succeeded("7");
    expect(codes(sent)).toEqual([7]);
    expect(events.messages).toEqual([]);
  });

  test("is unavailable when none is left; of any number that refuse at once", async () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `node ${index}`);
    const { request, nodes, sent } = await remotePipeline({ nodes: names.slice(0, 2_000) }, names);
    for (const name of names) nodes.refusing.add(name);
    request("get", one);
    expect(codes(sent)).toEqual(["unavailable"]);
    expect(new Set(nodes.calls.map(({ node }) => node)).size).toBe(2_000);
    expect(nodes.calls.length).toBe(2_000);
  });

  test("passes over nodes that are gone by then", async () => {
    const { request, nodes, sent } = await remotePipeline();
    request("get", one);
    nodes.down("a");
    nodes.calls[0]?.call.failed(unavailable as never, false);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["b", "c"]);
    nodes.down("b", "c");
    nodes.calls[1]?.call.failed(unavailable as never, false);
    expect(codes(sent)).toEqual(["unavailable"]);
  });

  test.each([
    ["may have begun", unavailable, true],
    ["is the client's own fault", failed("failed"), false],
  ])("stays where it is when it %s", async (_, failure, begun) => {
    const { request, nodes, sent } = await remotePipeline();
    request("get", one);
    nodes.calls[0]?.call.failed(failure as never, begun);
    expect(nodes.calls.length).toBe(1);
    expect(codes(sent)).toEqual([failure.code]);
  });

  test("since it lacks the function goes to another too; when all lack it, the last of their failures stands", async () => {
    const { request, nodes, sent } = await remotePipeline();
    request("get", one);
    nodes.calls[0]?.call.failed(failed("internal") as never, false);
    nodes.calls[1]?.call.succeeded("7");
    expect(codes(sent)).toEqual([7]);
    request("get", one);
    for (const index of [2, 3]) nodes.calls[index]?.call.failed(unavailable as never, false);
    nodes.calls[4]?.call.failed(failed("internal") as never, false);
    expect(
      nodes.calls
        .slice(2)
        .map(({ node }) => node)
        .toSorted(),
    ).toEqual(three);
    expect(codes(sent)).toEqual([7, "internal"]);
  });

  test("is not acknowledged unless a node took it", async () => {
    const { request, nodes, sent } = await remotePipeline({ responseType: "async" });
    for (const name of three) nodes.refusing.add(name);
    request("get", one);
    nodes.refusing.delete("c");
    request("get", one);
    expect(codes(sent)).toEqual(["unavailable", "accepted"]);
    nodes.calls.at(-1)?.call.succeeded("1");
    expect(codes(sent)).toEqual(["unavailable", "accepted", 1]);
  });

  test("whatever it still says is dropped", async () => {
    const { request, nodes, sent } = await remotePipeline();
    request("get", one);
    const [first] = nodes.calls;
    first?.call.failed(unavailable as never, false);
    first?.call.succeeded('"late"');
    first?.call.failed(unavailable as never, false);
    expect(nodes.calls.length).toBe(2);
    nodes.calls[1]?.call.succeeded('"right"');
    expect(codes(sent)).toEqual(["right"]);
  });

  test("may have begun on a node that breaks while it is sent: it is internal, and answered once", async () => {
    const { request, nodes, sent, clock } = await remotePipeline({ responseType: "async" });
    nodes.throwing.add("b");
    request("get", one);
    nodes.calls[0]?.call.succeeded("1");
    expect(codes(sent)).toEqual(["accepted", "internal"]);
    expect([nodes.calls.length, clock.pending]).toEqual([1, 0]);
  });
});

describe("retry", () => {
  const lose = (sent: { call: { failed(error: never, begun: boolean): void } } | undefined) =>
    sent?.call.failed(unavailable as never, true);

  test("{sameNode} goes back to the node that was selected at first", async () => {
    const { request, nodes, clock } = await remotePipeline({ retry: { sameNode: 2 }, chooseNodeMode: "roundRobin" });
    request("get", one);
    lose(nodes.calls[0]);
    clock.advance(100);
    lose(nodes.calls[1]);
    clock.advance(200);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a", "a", "a"]);
  });

  test("{sameNode} does so too when that node had not taken it, and another had", async () => {
    const { request, nodes, clock } = await remotePipeline({ retry: { sameNode: 1 }, chooseNodeMode: "roundRobin" });
    nodes.refusing.add("a");
    request("get", one);
    nodes.refusing.clear();
    lose(nodes.calls[1]);
    clock.advance(100);
    expect(nodes.calls.map(({ node }) => node === "a")).toEqual([true, false, true]);
  });

  test.each([2, { allNodes: 2 }])("%j selects anew", async (retry) => {
    const { request, nodes, clock } = await remotePipeline({ retry, chooseNodeMode: "roundRobin" });
    request("get", one);
    lose(nodes.calls[0]);
    clock.advance(100);
    lose(nodes.calls[1]);
    clock.advance(200);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a", "b", "c"]);
  });

  test("counts an attempt for which no node lives, and takes one that came back", async () => {
    const { request, nodes, sent, clock } = await remotePipeline({ retry: 2 });
    request("get", one);
    nodes.down(...three);
    lose(nodes.calls[0]);
    clock.advance(100);
    expect([nodes.calls.length, sent.length]).toEqual([1, 0]);
    nodes.up("c");
    clock.advance(200);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["b", "c"]);
    lose(nodes.calls[1]);
    expect(codes(sent)).toEqual(["retry_exhausted"]);
  });

  test("of the same node, once that is gone, goes to another: there it has certainly not begun", async () => {
    const { request, nodes, clock } = await remotePipeline({ retry: { sameNode: 1 } });
    request("get", one);
    nodes.down("b");
    lose(nodes.calls[0]);
    clock.advance(100);
    expect(nodes.calls.length).toBe(2);
    expect(nodes.calls[1]?.node).not.toBe("b");
  });

  test("may go again to nodes that refused the attempt before", async () => {
    const { request, nodes, clock, sent } = await remotePipeline({ retry: 1 });
    for (const name of three) nodes.refusing.add(name);
    request("get", one);
    expect(nodes.calls.length).toBe(3);
    nodes.refusing.delete("a");
    clock.advance(100);
    expect(nodes.calls.at(-1)?.node).toBe("a");
    nodes.calls.at(-1)?.call.succeeded("1");
    expect(codes(sent)).toEqual([1]);
  });
});

describe("a permissionCallback of a function that nodes run", () => {
  const asked = { permissionCallback: { module: "users", function: "may", args: ["x"] } };

  test("is asked on the selected node, where then the function runs", async () => {
    const { request, nodes, sent } = await remotePipeline({ ...asked, chooseNodeMode: "roundRobin" });
    request("get", one);
    expect(nodes.calls[0]?.call).toMatchObject({ function: "may", args: [{ requestId: "r1", userId: "u1" }, "x"] });
    nodes.calls[0]?.call.succeeded("true");
    nodes.calls[1]?.call.succeeded("1");
    expect(nodes.calls.map(({ node, call }) => `${node} ${call.function}`)).toEqual(["a may", "a get"]);
    expect(codes(sent)).toEqual([1]);
  });

  test("is asked on another node where it had not begun, and the function follows it there", async () => {
    const { request, nodes } = await remotePipeline(asked);
    request("get", one);
    nodes.calls[0]?.call.failed(unavailable as never, false);
    nodes.calls[1]?.call.succeeded("true");
    const [first, second, third] = nodes.calls.map(({ node }) => node);
    expect([first, second === first, third]).toEqual(["b", false, second]);
  });

  test("denies when it failed; is unavailable when its node died, or no node was left to ask", async () => {
    const { request, nodes, sent } = await remotePipeline(asked);
    request("get", one);
    nodes.calls[0]?.call.failed(internal(new Error("x")) as never, true);
    request("get", one);
    nodes.calls[1]?.call.failed(unavailable as never, true);
    for (const name of three) nodes.refusing.add(name);
    request("get", one);
    expect(codes(sent)).toEqual(["permission_denied", "unavailable", "unavailable"]);
    expect(nodes.calls.every(({ call }) => call.function === "may")).toBe(true);
  });

  test("of a call that was cancelled is not asked again", async () => {
    const { request, nodes, sent } = await remotePipeline(asked);
    request("get", one).calls.cancel("r1")?.();
    nodes.calls[0]?.call.failed(unavailable as never, false);
    expect(nodes.calls.length).toBe(1);
    expect(codes(sent)).toEqual(["cancelled"]);
  });

  test("of a cast is none itself: its answer is waited for", async () => {
    const { request, nodes } = await remotePipeline({ ...asked, responseType: "none" });
    request("get", one);
    nodes.calls[0]?.call.succeeded("true");
    expect(nodes.calls.map(({ call }) => call.isCast)).toEqual([false, true]);
  });
});

describe("a stream that a node runs", () => {
  const streaming = { responseType: "stream" } as const;

  test("passes its chunks on, gives credit and ends", async () => {
    const { request, nodes, sent } = await remotePipeline(streaming);
    request("get", one);
    const [entry] = nodes.streams;
    expect(entry).toMatchObject({ node: "b", stream: { module: "users", function: "get", args: ["1"] } });
    entry?.stream.chunk("1");
    entry?.stream.chunk("2");
    entry?.stream.ended("3");
    expect(sent.map(({ response }) => [response.result, response.has_more])).toEqual([
      ["init", true],
      [1, true],
      [2, true],
      [3, false],
    ]);
    expect(entry?.granted).toBe(2);
  });

  test("goes to another node where it had certainly not begun, under its one init", async () => {
    const { request, nodes, sent, running, clock } = await remotePipeline(streaming);
    nodes.refusing.add("b");
    request("get", one);
    nodes.streams[1]?.stream.failed(unavailable as never, false);
    const [, second, third] = nodes.streams;
    expect(nodes.streams.map(({ node }) => node).toSorted()).toEqual(three);
    // What the others still say is dropped.
    second?.stream.chunk('"stray"');
    third?.stream.chunk("1");
    second?.stream.ended(null);
    third?.stream.ended(null);
    expect(sent.map(({ response }) => response.result)).toEqual(["init", 1, null]);
    expect([running.size, clock.pending]).toEqual([0, 0]);
  });

  test("that has sent a chunk has begun, whatever its node says", async () => {
    const { request, nodes, sent } = await remotePipeline(streaming);
    request("get", one);
    nodes.streams[0]?.stream.chunk("1");
    nodes.streams[0]?.stream.failed(unavailable as never, false);
    expect(nodes.streams.length).toBe(1);
    expect(sent.map(({ response }) => response.error_code ?? response.result)).toEqual(["init", 1, "unavailable"]);
  });

  test("refused by every node at once is not acknowledged", async () => {
    const { request, nodes, sent, running } = await remotePipeline(streaming);
    for (const name of three) nodes.refusing.add(name);
    request("get", one);
    expect(sent).toMatchObject([{ response: { error_code: "unavailable", async: false }, reply: { status: "ok" } }]);
    expect([sent.length, running.size]).toEqual([1, 0]);
  });

  test("that breaks its node while it is sent ends once", async () => {
    const { request, nodes, sent, running, clock } = await remotePipeline(streaming);
    nodes.throwing.add("b");
    request("get", one);
    nodes.streams[0]?.stream.chunk("1");
    nodes.streams[0]?.stream.ended(null);
    expect(sent.map(({ response }) => response.error_code ?? response.result)).toEqual(["init", "internal"]);
    expect([nodes.streams.length, running.size, clock.pending]).toEqual([1, 0, 0]);
  });

  test("can be stopped and cancelled where it went to", async () => {
    const { request, nodes, sent } = await remotePipeline(streaming);
    nodes.refusing.add("b");
    const { calls } = request("get", one);
    calls.stopStream("r1")?.();
    expect(nodes.streams.map(({ cancelled }) => cancelled)).toEqual([null, "cancelled"]);
    request("get", one).calls.abortAll("disconnected");
    expect(nodes.streams.at(-1)?.cancelled).toBe("disconnected");
    expect(sent.at(-1)).toMatchObject({ response: { error_code: "cancelled" } });
  });
});

describe("a service that is expected", () => {
  test("is unavailable, not unknown, until its functions have come", async () => {
    const { request, sent, expected } = await pipelineOf({ requestType: "echo", disabled: true });
    expected.add("s");
    request("get");
    request("get", { version: "1.0.0" });
    request("get", { version: "one" });
    request("echo");
    request("get", { service: "other" });
    expected.delete("s");
    request("get");
    const unavailable = "unavailable";
    expect(codes(sent)).toEqual([unavailable, unavailable, "invalid_request", "disabled", "not_found", "not_found"]);
    expect(sent[0]).toMatchObject({ response: { can_retry: true, error: "Service temporarily unavailable" } });
  });
});
