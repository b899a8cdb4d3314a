import { defineService, type Gateway } from "gen-api";
import { beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import schemas from "../fixtures/definitions/schemas.js";
import { nextEvent, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectRaw } from "../support/network/raw-client.ts";
import { recordEvents } from "../support/record-events.ts";

const right = { name: "Alice", born: "2000-01-01T00:00:00Z" };
const wrong = { name: "A", born: right.born };
const problem = 'Argument "name": Too small: expected string to have >=2 characters';
const answer = { name: "Alice", year: 2000, tags: [] };

/** The frames that answer a request over a socket, up to its reply and its final Response. */
async function framesOf(gateway: Gateway, requestType: string, args: object) {
  const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
  await client.join("api:a");
  const request = { service: "schemas", request_type: requestType, request_id: "r", args };
  client.send(["1", "2", "api:a", "api", request]);
  const events: unknown[] = [];
  let isReplied = false;
  let isFinal = requestType === "none";
  while (!isReplied || !isFinal) {
    const [, , , event, payload] = (await client.next()) as [
      unknown,
      unknown,
      unknown,
      string,
      Record<string, unknown>,
    ];
    if (event === "phx_reply") {
      isReplied = true;
      events.push(payload.status);
      if (payload.status === "error") isFinal ||= events.length > 1 || requestType === "none";
    } else {
      if (!payload.async && !payload.has_more) isFinal = true;
      if (payload.result === "init" || !payload.success || payload.async) events.push(payload.error_code ?? "accepted");
      else events.push(payload.result);
      if (payload.has_more === false && payload.async && requestType === "count" && payload.result === null)
        isFinal = true;
    }
  }
  await client.close();
  return events;
}

describe.each(["on this gateway", "on a service node"])("a function with a schema, %s,", (where) => {
  const isLocal = where === "on this gateway";
  let gateway: Gateway;
  const call = (requestType: string, args: object) =>
    gateway.call({ service: "schemas", requestType, args: args as never });

  beforeEach(async () => {
    gateway = await startGateway(isLocal ? { functions: [schemas] } : {});
    if (isLocal) return;
    const pushed = nextEvent("config.push", ({ metadata }) => metadata.gateway === gateway.name);
    await startNode([gateway], { name: "node@127.0.0.1", service: "schemas", functions: [schemas] });
    await pushed;
  });

  test("gets what the schema makes of the arguments, whatever its kind", async () => {
    expect(await call("sync", right)).toEqual(answer);
    expect(await call("later", right)).toEqual(answer);
    expect(await call("main", right)).toEqual(answer);
    const chunks: unknown[] = [];
    for await (const chunk of gateway.stream({ service: "schemas", requestType: "count", args: { to: 2 } })) {
      chunks.push(chunk);
    }
    expect(chunks).toEqual([1, 2, 3]);
  });

  test("is not called with wrong arguments, of which the caller learns where they are wrong", async () => {
    using events = recordEvents("worker_pool.task.exception");
    const refused = { code: "invalid_argument", message: problem, canRetry: false };
    for (const type of ["sync", "later", "main"]) await expect(call(type, wrong)).rejects.toMatchObject(refused);
    const stream = gateway.stream({ service: "schemas", requestType: "count", args: { to: 0 } });
    await expect(stream.next()).rejects.toMatchObject({ code: "invalid_argument", message: 'Argument "to": too low' });
    // Wrong arguments are no fault of the function.
    expect(events.messages).toEqual([]);
  });

  test("fails as internal where its schema itself throws, and as ever where it throws itself", async () => {
    await expect(call("throwing", {})).rejects.toMatchObject({ code: "internal" });
    await expect(call("sold_out", right)).rejects.toMatchObject({ code: "failed", reason: "sold_out" });
  });

  test("is bounded by the gateway, before its schema is asked", async () => {
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`a${at}`, 1]));
    await expect(call("sync", many)).rejects.toMatchObject({
      message: "Arguments: expected map of at most 1000 items, got map of more",
    });
    await expect(call("sync", JSON.parse('{"a":{"b":{"__proto__":1}}}'))).rejects.toMatchObject({
      message: 'Argument "a.b": expected map without the key "__proto__", got map with it',
    });
  });

  test("has its result and chunks checked only where it says so", async () => {
    await expect(call("wrong_result", {})).rejects.toMatchObject({
      code: "internal",
      cause: { message: expect.stringMatching(/answer does not match its schema: it: .*expected string/) },
    });
    expect(await call("unchecked", {})).toBe(5);
    const stream = gateway.stream({ service: "schemas", requestType: "wrong_chunk" });
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    await expect(stream.next()).rejects.toMatchObject({ code: "internal" });
  });

  test("is acknowledged before its schema is asked only on a node", async () => {
    const isRefusedFirst = isLocal ? ["invalid_argument", "error"] : ["accepted", "ok", "invalid_argument"];
    expect(await framesOf(gateway, "later", wrong)).toEqual(isRefusedFirst);
    expect(await framesOf(gateway, "main", wrong)).toEqual(isRefusedFirst);
    expect(await framesOf(gateway, "count", { to: 0 })).toEqual(isRefusedFirst);
    expect(await framesOf(gateway, "none", wrong)).toEqual(isLocal ? ["invalid_argument", "error"] : ["ok"]);
    expect(await framesOf(gateway, "later", right)).toEqual(["accepted", "ok", answer]);
  });
});

test("a definition fills its FunConfig with what the library makes of its schemas, unless it has its own", () => {
  const args = z.object({ at: z.iso.datetime().transform((text) => new Date(text)) });
  const own = { type: "object" };
  const [made, kept, date] = defineService("s", import.meta.url, {
    made: { args, result: z.int(), handler: ({ at }) => at.getTime() },
    kept: { args, argsSchema: own, handler: () => 1 },
    date: { args: z.object({ at: z.date() }), handler: ({ at }) => at.getTime() },
  }).functions;
  expect(made).toMatchObject({
    argTypes: "schema",
    argsSchema: { type: "object", required: ["at"] },
    resultSchema: { type: "integer" },
  });
  expect(made).not.toHaveProperty("result");
  expect(kept?.argsSchema).toBe(own);
  // JSON Schema has no dates, says zod.
  expect(date).not.toHaveProperty("argsSchema");
});

test("handlers of a service with schemas can be called as functions, with their types", () => {
  const service = defineService("s", import.meta.url, {
    f: {
      args: z.object({ n: z.string().transform(Number) }),
      handler: (args) => {
        expectTypeOf(args).toEqualTypeOf<{ n: number }>();
        return args.n + 1;
      },
    },
  });
  const run = service.handlers.get("f");
  expect(run?.({ n: "1" })).toBe(2);
  expect(() => run?.({})).toThrow('Argument "n": Invalid input: expected string, received undefined');
});

test.each<[object, RegExp]>([
  [
    { f: { args: "schema", handler: () => 1 } },
    /f\.args must be a map from names to types, or a Standard Schema, got "sc/,
  ],
  [{ f: { result: 5, handler: () => 1 } }, /f\.result must be a Standard Schema, as zod makes them, got 5/],
  [{ f: { chunk: z.string(), handler: () => 1 } }, /f\.chunk must be left out of what is no stream/],
  [{ f: { result: z.string(), responseType: "none", handler: () => 1 } }, /f\.result must be left out of what answers/],
  [{ f: { checkResults: 1, handler: () => 1 } }, /f\.checkResults must be true or false, got 1/],
  [{ f: { handler: () => 1 }, "f (args)": { handler: () => 1 } }, /the key "f \(args\)" is taken/],
])("wrong schemas are named with their function: %#", (functions, fault) => {
  expect(() => defineService("s", import.meta.url, functions as never)).toThrow(fault);
});

test("the way of a request says where a schema decides, and a dry run that it would be asked", async () => {
  const gateway = await startGateway({ functions: [schemas] });
  const stages = (type: string) => {
    const flow = gateway.diagnostics.flow("schemas", type);
    return flow === "not_found" ? [] : flow.stages.map(({ stage, summary }) => `${stage}: ${summary}`);
  };
  expect(stages("later")).toContain("arguments: a map, as the function's schema has it");
  expect(stages("later")).toContain("arguments_check: the function's schema decides");
  expect(stages("sync").join()).not.toContain("arguments_check");
  const inspected = gateway.diagnostics.inspectRequest({ service: "schemas", requestType: "later", args: wrong });
  expect(inspected).toMatchObject({
    stages: expect.arrayContaining([expect.objectContaining({ stage: "arguments_check" })]),
  });
});

test("a FunConfig that names a schema where there is none is refused", async () => {
  const config = {
    service: "s",
    requestType: "t",
    nodes: "local" as const,
    timeout: 1_000,
    mfa: "schemas.unchecked",
    argTypes: "schema" as const,
    argOrders: "map" as const,
  };
  await expect(startGateway({ functions: [schemas, config] })).rejects.toMatchObject({ code: "function_missing" });
});
