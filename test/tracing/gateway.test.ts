import { channel } from "node:diagnostics_channel";
import type { Gateway } from "gen-api";
import { describe, expect, test } from "vitest";
import { requireOptional } from "../../src/core/optional-package.ts";
import traced from "../fixtures/tracing/service.js";
import { keep, startGateway } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectRaw } from "../support/network/raw-client.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { expectChild, named, openTracing, SpanKind, SpanStatusCode, traceparentOf } from "./spans.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
const otherTraceparent = "00-11111111111111111111111111111111-2222222222222222-01";

async function open(options: Parameters<typeof openTracing>[0] = {}) {
  const sdk = openTracing(options);
  const gateway = await startGateway({ functions: [traced], tracing: sdk.tracing });
  const call = (requestType: string, more: object = {}) => gateway.call({ service: "traced", requestType, ...more });
  return { ...sdk, gateway, call };
}

/** Sends one request of a client that connected with these headers. @returns its Response */
async function requestAfter(gateway: Gateway, headers: Record<string, string>, more: object = {}) {
  const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`, { headers });
  await client.join("api:a");
  const request = { service: "traced", request_type: "trace", request_id: "r1", ...more };
  client.send(["1", "2", "api:a", "api", request]);
  const [, , , , response] = await client.next((frame) => frame[3] === "api");
  await client.settled();
  await client.close();
  return response as { success: boolean; result: { traceparent: string; tracestate?: string }; error: string | null };
}

describe("a request", () => {
  test("has a span from its frame to its answer, and one below for its execution, which the function continues", async () => {
    const { gateway, spans } = await open();
    const { result } = await requestAfter(gateway, { traceparent, tracestate: "a=1" });
    const ended = await spans();
    expect(ended).toHaveLength(2);
    const request = named(ended, "traced/trace");
    const execution = named(ended, "execute traced/trace");
    expect(request.kind).toBe(SpanKind.SERVER);
    expect(request.context.traceId).toBe(traceId);
    expect(request.parentSpanContext).toMatchObject({ spanId: "b7ad6b7169203331", isRemote: true });
    expectChild(execution, request);
    expect(execution.kind).toBe(SpanKind.INTERNAL);
    expect(execution.attributes["gen_api.where"]).toBe("worker");
    expect(result).toEqual({ traceparent: traceparentOf(execution), tracestate: "a=1" });
    expect(request.status.code).toBe(SpanStatusCode.UNSET);
  });

  test("continues the trace of its own field rather than that of its connection", async () => {
    const { gateway, spans } = await open();
    await requestAfter(gateway, { traceparent }, { trace: { traceparent: otherTraceparent } });
    expect(named(await spans(), "traced/trace").parentSpanContext?.spanId).toBe("2222222222222222");
  });

  test("whose field is malformed continues that of its connection", async () => {
    const { gateway, spans } = await open();
    await requestAfter(gateway, { traceparent }, { trace: { traceparent: "00-1-2-3" } });
    expect(named(await spans(), "traced/trace").context.traceId).toBe(traceId);
  });

  test("begins a trace where none came, or what came is malformed", async () => {
    const { gateway, spans } = await open();
    await requestAfter(gateway, { traceparent: `${traceparent}-extra` });
    const request = named(await spans(), "traced/trace");
    expect(request.parentSpanContext).toBeUndefined();
    expect(request.context.traceId).not.toBe(traceId);
  });

  test("of the host continues the trace that the host gives", async () => {
    const { call, spans } = await open();
    await call("trace", { trace: { traceparent } });
    expect(named(await spans(), "traced/trace").context.traceId).toBe(traceId);
  });

  test("on the main thread is continued too", async () => {
    const { call, spans } = await open();
    const trace = await call("trace_on_main");
    const ended = await spans();
    const execution = named(ended, "execute traced/trace_on_main");
    expect(trace).toEqual({ traceparent: traceparentOf(execution) });
    expect(execution.attributes["gen_api.where"]).toBe("main");
    expectChild(execution, named(ended, "traced/trace_on_main"));
  });

  test("has a span for each hook and for the permission callback", async () => {
    const { call, spans } = await open();
    await call("hooked");
    await call("asks");
    const ended = await spans();
    const hooked = named(ended, "traced/hooked");
    for (const name of ["beforeExecute traced.before", "execute traced/hooked", "afterExecute traced.after"]) {
      expectChild(named(ended, name), hooked);
    }
    const asked = named(ended, "traced/asks");
    expectChild(named(ended, "permission traced/asks"), asked);
    expectChild(named(ended, "execute traced/asks"), asked);
    expect(ended).toHaveLength(7);
  });

  test("has a span for each attempt, and tells of the retry", async () => {
    const { call, spans } = await open();
    const trace = await call("fails_once");
    const ended = await spans();
    const attempts = ended.filter(({ name }) => name === "execute traced/fails_once");
    expect(attempts.map(({ status }) => status.code)).toEqual([SpanStatusCode.ERROR, SpanStatusCode.UNSET]);
    expect(attempts[1]?.attributes["gen_api.retries"]).toBe(1);
    expect(trace).toEqual({ traceparent: traceparentOf(attempts[1] as never) });
    const request = named(ended, "traced/fails_once");
    expect(request.events).toMatchObject([
      { name: "exception" },
      { name: "retry", attributes: { attempt: 1, "error.type": "internal" } },
    ]);
    expect(request.status.code).toBe(SpanStatusCode.UNSET);
  });

  test("that is a stream has spans until the stream's end", async () => {
    const { gateway, spans } = await open();
    const chunks: unknown[] = [];
    for await (const chunk of gateway.stream({ service: "traced", requestType: "counts", args: { to: 3 } })) {
      chunks.push(chunk);
    }
    const ended = await spans();
    const execution = named(ended, "execute traced/counts");
    expectChild(execution, named(ended, "traced/counts"));
    expect(chunks).toHaveLength(3);
    expect(chunks[0]).toMatchObject({ trace: { traceparent: traceparentOf(execution) } });
  });

  test("that is cancelled ends all its spans", async () => {
    const { gateway, spans } = await open();
    const controller = new AbortController();
    const request = { service: "traced", requestType: "never" };
    const response = gateway.request(request, { signal: controller.signal });
    controller.abort();
    expect(await response).toMatchObject({ error_code: "cancelled" });
    const ended = await spans();
    expect(named(ended, "traced/never").attributes["error.type"]).toBe("cancelled");
    expect(named(ended, "execute traced/never").status.code).toBe(SpanStatusCode.ERROR);
  });

  test("has spans of its own though another has the same id at the same time", async () => {
    const { gateway, spans } = await open();
    const traces = [traceparent, otherTraceparent];
    const results = await Promise.all(traces.map((each) => requestAfter(gateway, { traceparent: each })));
    const ended = await spans();
    const executions = ended.filter(({ name }) => name === "execute traced/trace");
    results.forEach(({ result }, index) => {
      const execution = executions.find((each) => traceparentOf(each) === result.traceparent);
      expect(execution?.context.traceId).toBe(traces[index]?.slice(3, 35));
    });
    expect(ended).toHaveLength(4);
  });
});

describe("what goes wrong", () => {
  test("unexpectedly is an error of both spans, with the exception", async () => {
    const { gateway, spans } = await open();
    await gateway.request({ service: "traced", requestType: "boom" });
    const ended = await spans();
    const request = named(ended, "traced/boom");
    expect(request.status).toEqual({ code: SpanStatusCode.ERROR, message: "internal" });
    expect(request.attributes["error.type"]).toBe("internal");
    expect(request.events).toMatchObject([
      { name: "exception", attributes: { "exception.type": "TypeError", "exception.message": "it broke" } },
    ]);
    expect(named(ended, "execute traced/boom").status.code).toBe(SpanStatusCode.ERROR);
  });

  test("as the function says is told by its code, and is no error of the gateway", async () => {
    const { gateway, spans } = await open();
    await gateway.request({ service: "traced", requestType: "refuses" });
    const request = named(await spans(), "traced/refuses");
    expect(request.attributes["error.type"]).toBe("failed");
    expect(request.status.code).toBe(SpanStatusCode.UNSET);
    expect(request.events).toEqual([]);
  });

  test("in a hook is an exception of the hook's span", async () => {
    const { gateway, spans } = await open();
    await gateway.request({ service: "traced", requestType: "refused_by_hook" });
    const ended = await spans();
    const hook = named(ended, "beforeExecute traced.refuse");
    expect(hook.events).toMatchObject([{ attributes: { "exception.message": "the hook says no" } }]);
    expect(hook.status.code).toBe(SpanStatusCode.ERROR);
    expect(ended).toHaveLength(2);
  });
});

test("attributes are bounded, hold no argument values, and what no function has names no span", async () => {
  const { gateway, spans } = await open();
  const long = "x".repeat(1_000);
  const secret = "4929-0000-1111-2222";
  await gateway.request({ service: "traced", requestType: "trace", args: { secret }, requestId: long });
  await gateway.request({ service: "traced", requestType: "trace", args: { secret, unknown: secret } });
  await gateway.request({ service: long, requestType: `${long}${secret}` });
  const ended = await spans();
  expect(ended.map(({ name }) => name).sort()).toEqual([
    "execute traced/trace",
    "gen_api request",
    "traced/trace",
    "traced/trace",
  ]);
  const shown = JSON.stringify(ended.map(({ name, attributes, events, status }) => [name, attributes, events, status]));
  expect(shown).not.toContain(secret);
  expect(shown.length).toBeLessThan(5_000);
});

test("a public endpoint begins a trace for each request, with a link to the client's", async () => {
  const { gateway, spans } = await open({ publicEndpoint: true });
  const { result } = await requestAfter(gateway, { traceparent });
  const ended = await spans();
  const request = named(ended, "traced/trace");
  expect(request.context.traceId).not.toBe(traceId);
  expect(request.parentSpanContext).toBeUndefined();
  expect((request as unknown as { links: object[] }).links).toMatchObject([{ context: { traceId } }]);
  expect(result).toEqual({ traceparent: traceparentOf(named(ended, "execute traced/trace")) });
});

describe("without spans", () => {
  test("functions get the context as it came, where nothing is traced", async () => {
    const gateway = await startGateway({ functions: [traced] });
    const { result } = await requestAfter(gateway, { traceparent, tracestate: "a=1" });
    expect(result).toEqual({ traceparent, tracestate: "a=1" });
    const own = await requestAfter(gateway, { traceparent }, { trace: { traceparent: otherTraceparent } });
    expect(own.result).toEqual({ traceparent: otherTraceparent });
  });

  test("and where no SDK is set up", async () => {
    const { tracing } = await import("gen-api/tracing");
    const gateway = await startGateway({ functions: [traced], tracing: tracing() });
    const { result } = await requestAfter(gateway, { traceparent, tracestate: "a=1" });
    expect(result).toEqual({ traceparent, tracestate: "a=1" });
  });

  test("nobody listens once the gateway has stopped", async () => {
    const { gateway, call } = await open();
    const heard = channel("gen_api.executor.attempt.start");
    await call("echo", { args: { value: 1 } });
    expect(heard.hasSubscribers).toBe(true);
    await gateway.stop();
    expect(heard.hasSubscribers).toBe(false);
  });
});

test("two gateways of one process trace each its own", async () => {
  const [a, b] = [openTracing(), openTracing()];
  const [first] = await Promise.all([
    startGateway({ name: "first", functions: [traced], tracing: a.tracing }),
    startGateway({ name: "second", functions: [traced], tracing: b.tracing }),
  ]);
  const client = keep(await connectClient(urlOf(first), { service: "traced" }));
  await client.request("echo", { value: 1 });
  expect(await a.spans()).toHaveLength(2);
  expect(await b.spans()).toEqual([]);
});

test("an option that is no adapter is told", async () => {
  await expect(startGateway({ tracing: {} as never })).rejects.toThrow(
    /tracing must be tracing\(\) of gen-api\/tracing/,
  );
});

test("a package that is not installed is named, with how to get it", () => {
  expect(() => requireOptional("@opentelemetry/not-there", "gen-api/tracing")).toThrow(
    expect.objectContaining({
      code: "invalid_option",
      message: expect.stringMatching(/gen-api\/tracing needs the package @opentelemetry\/not-there: run `npm install /),
    }),
  );
});
