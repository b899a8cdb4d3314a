import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import traced from "../fixtures/tracing/service.js";
import { nextEvent, nodeUrlOf, startGateway, startNode } from "../support/cluster.ts";
import { expectChild, named, openTracing, type Seen, SpanKind, SpanStatusCode, traceparentOf } from "./spans.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
});

/** A gateway that traces, and a service node that is a process with an SDK of its own. */
async function open({ traces = true } = {}) {
  const sdk = openTracing();
  const gateway = await startGateway({ tracing: sdk.tracing });
  const pushed = nextEvent("config.push", ({ metadata }) => metadata.gateway === gateway.name);
  const child = fork(new URL("../fixtures/tracing/node.js", import.meta.url), { execArgv: [] });
  children.push(child);
  const spans: Seen[] = [];
  let look = () => undefined as unknown;
  child.on("message", ({ span }: { span?: Seen }) => {
    if (span !== undefined) spans.push(span);
    look();
  });
  child.send({ name: "node@127.0.0.1", gateways: [nodeUrlOf(gateway)], traces });
  await pushed;
  return {
    ...sdk,
    gateway,
    call: (requestType: string, more: object = {}) => gateway.call({ service: "traced", requestType, ...more }),
    /** The spans of the node's, when there are so many. */
    async nodeSpans(count: number): Promise<Seen[]> {
      while (spans.length < count) {
        await new Promise<void>((resolve) => {
          look = resolve;
        });
      }
      return spans;
    },
  };
}

describe("a call of a service node", () => {
  test("is one trace from the client's, over the gateway's spans, to the node's, which its function continues", async () => {
    const { call, spans, nodeSpans } = await open();
    const trace = await call("trace", { trace: { traceparent, tracestate: "a=1" } });
    const ofNode = named(await nodeSpans(1), "traced/trace");
    const ofGateway = await spans();
    const execution = named(ofGateway, "execute traced/trace");
    expect(execution.kind).toBe(SpanKind.CLIENT);
    expect(execution.attributes).toMatchObject({ "gen_api.where": "node", "gen_api.node": "node@127.0.0.1" });
    expectChild(execution, named(ofGateway, "traced/trace"));
    expectChild(ofNode, execution);
    expect(ofNode.kind).toBe(SpanKind.SERVER);
    expect(ofNode.parentSpanContext?.isRemote).toBe(true);
    expect(ofNode.context.traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(trace).toEqual({ traceparent: traceparentOf(ofNode), tracestate: "a=1" });
  });

  test("is continued on the node though its function asks for no RequestInfo, and on its main thread", async () => {
    const { call, spans, nodeSpans } = await open();
    await call("echo", { args: { value: "a secret" } });
    const trace = await call("trace_on_main");
    const ofNode = await nodeSpans(2);
    const ofGateway = await spans();
    expectChild(named(ofNode, "traced/echo"), named(ofGateway, "execute traced/echo"));
    expect(trace).toEqual({ traceparent: traceparentOf(named(ofNode, "traced/trace_on_main")) });
    expect(JSON.stringify([ofNode, ofGateway.map(({ attributes }) => attributes)])).not.toContain("a secret");
  });

  test("has a span on the node for the permission callback too", async () => {
    const { call, spans, nodeSpans } = await open();
    await call("asks");
    const [asked, ran] = (await nodeSpans(2)) as [Seen, Seen];
    const ofGateway = await spans();
    expect(asked.attributes["gen_api.function"]).toBe("traced.may");
    expectChild(asked, named(ofGateway, "permission traced/asks"));
    expectChild(ran, named(ofGateway, "execute traced/asks"));
  });

  test("that fails is an error on both sides, with the exception on both", async () => {
    const { gateway, spans, nodeSpans } = await open();
    await gateway.request({ service: "traced", requestType: "boom" });
    const ofNode = named(await nodeSpans(1), "traced/boom");
    const ofGateway = named(await spans(), "traced/boom");
    for (const span of [ofNode, ofGateway]) {
      expect(span.status).toEqual({ code: SpanStatusCode.ERROR, message: "internal" });
      expect(span.events).toMatchObject([{ attributes: { "exception.message": "it broke" } }]);
    }
  });

  test("that is cancelled, and a stream, end their spans on the node", async () => {
    const { gateway, spans, nodeSpans } = await open();
    const chunks: { trace: object }[] = [];
    const stream = gateway.stream<{ trace: object }>({ service: "traced", requestType: "counts", args: { to: 2 } });
    for await (const chunk of stream) chunks.push(chunk);
    const counts = named(await nodeSpans(1), "traced/counts");
    expect(chunks[1]?.trace).toEqual({ traceparent: traceparentOf(counts) });
    const response = await gateway.request({ service: "traced", requestType: "never" }, { timeoutMs: 50 });
    expect(response.error_code).toBe("timeout");
    const never = named(await nodeSpans(2), "traced/never");
    expect(never.attributes["error.type"]).toBe("cancelled");
    expectChild(never, named(await spans(), "execute traced/never"));
  });

  test("whose node traces nothing continues the gateway's span", async () => {
    const { call, spans } = await open({ traces: false });
    const trace = await call("trace");
    expect(trace).toEqual({ traceparent: traceparentOf(named(await spans(), "execute traced/trace")) });
  });

  test("of a gateway that traces nothing continues the client's context on the node", async () => {
    const sdk = openTracing();
    const gateway = await startGateway();
    const node = await startNode([gateway], { name: "node", functions: [traced], tracing: sdk.tracing });
    await node.connected();
    const request = { service: "traced", requestType: "trace", trace: { traceparent } };
    const trace = await gateway.call(request);
    const [span, ...others] = await sdk.spans();
    expect(others).toEqual([]);
    expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(trace).toEqual({ traceparent: traceparentOf(span as Seen) });
  });
});

test("a node that loses its gateway ends the spans of what it ran for it", async () => {
  const sdk = openTracing();
  const gateway = await startGateway();
  const node = await startNode([gateway], { name: "node", functions: [traced], tracing: sdk.tracing });
  await node.connected();
  const began = nextEvent("gateway.call.start");
  const response = gateway.request({ service: "traced", requestType: "never" });
  await began;
  const ended = nextEvent("gateway.call.stop");
  await gateway.stop();
  await Promise.all([ended, response]);
  expect(named(await sdk.spans(), "traced/never").attributes["error.type"]).toBe("cancelled");
});
