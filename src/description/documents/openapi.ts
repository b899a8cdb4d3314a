import type { JsonSchema } from "../../arguments/json-schema.ts";
import type { GatewayDescription } from "../gateway-description.ts";
import { type DescribedFunction, describedFunctions, versionOf, wordsOf } from "./described-functions.ts";
import { embeddedSchema } from "./embedded-schema.ts";

/** What a document says beyond the description. */
export interface DocumentOptions {
  /** Where clients find the gateway, of which the host and the path count. @default not said */
  readonly url?: URL | undefined;
}

/** The path of calls over HTTP. */
const path = "/call";

/** An OpenAPI document, version 3.1, of the functions as they are called over HTTP. */
export function openApiDocument(description: GatewayDescription, { url }: DocumentOptions = {}): object {
  const functions = describedFunctions(description);
  const schemas = new Map<string, JsonSchema>([["problem", problem]]);
  const paths = functions.map((described) => [
    `${path}/${encodeURIComponent(described.service)}/${encodeURIComponent(described.requestType)}`,
    { post: operationOf(described, schemas) },
  ]);
  return {
    openapi: "3.1.0",
    info: { title: description.gateway, version: versionOf(functions) },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    ...(url === undefined ? {} : { servers: [{ url: httpUrl(url) }] }),
    tags: description.services.map(({ service }) => ({ name: service })),
    paths: Object.fromEntries(paths),
    components: {
      schemas: Object.fromEntries(schemas),
      responses: { failure: failureResponse },
      parameters,
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    },
  };
}

function httpUrl({ protocol, host }: URL): string {
  return `${protocol === "wss:" || protocol === "https:" ? "https" : "http"}://${host}`;
}

function operationOf(described: DescribedFunction, schemas: Map<string, JsonSchema>): object {
  const { service, name, requestType, responseType, argsSchema, deprecated, permission, versions } = described;
  const words = wordsOf(described);
  return {
    operationId: name,
    tags: [service],
    summary: `${service} ${requestType}`,
    ...(words === undefined ? {} : { description: words }),
    ...(deprecated === false ? {} : { deprecated: true }),
    security: permission === false || permission === "callback" ? [{ bearer: [] }, {}] : [{ bearer: [] }],
    parameters: [
      ...Object.keys(parameters).map((key) => ({ $ref: `#/components/parameters/${key}` })),
      ...(versions.length === 0 ? [] : [versionHeader(versions)]),
    ],
    requestBody: {
      required: true,
      content: { "application/json": { schema: named(schemas, `${name}.args`, argsSchema) } },
    },
    responses: { ...successOf(described, schemas), default: { $ref: "#/components/responses/failure" } },
    "x-gen-api": { responseType, permission, hints: described.hints, limits: described.limits },
  };
}

function successOf(described: DescribedFunction, schemas: Map<string, JsonSchema>): object {
  const { name, responseType, resultSchema, chunkSchema } = described;
  if (responseType === "none") return { 202: { description: "It was accepted; nothing follows." } };
  if (responseType !== "stream") {
    const schema = resultSchema === null ? {} : named(schemas, `${name}.result`, resultSchema);
    return { 200: { description: "The result.", content: { "application/json": { schema } } } };
  }
  const schema = chunkSchema === null ? {} : named(schemas, `${name}.chunk`, chunkSchema);
  return {
    200: {
      description: "The chunks: a line each, or an event `chunk` each, and then `end` or `error`.",
      content: { "application/x-ndjson": { schema }, "text/event-stream": { schema: { type: "string" } } },
    },
  };
}

/** A reference to a schema that becomes a component. */
function named(schemas: Map<string, JsonSchema>, key: string, schema: JsonSchema): JsonSchema {
  const $ref = `#/components/schemas/${key}`;
  schemas.set(key, embeddedSchema(schema, $ref));
  return { $ref };
}

function versionHeader(versions: readonly string[]): object {
  const description = "The version of the function; without it, the latest.";
  return { name: "Gen-Api-Version", in: "header", description, schema: { type: "string", enum: versions } };
}

const header = (name: string, description: string, schema: JsonSchema) => ({ name, in: "header", description, schema });

const parameters = {
  idempotencyKey: header("Idempotency-Key", "The call may be sent again under this key, and runs once.", {
    type: "string",
    minLength: 1,
    maxLength: 128,
  }),
  requestId: header("X-Request-Id", "The id of the request, which its answer repeats.", { type: "string" }),
  timeoutMs: header("Gen-Api-Timeout-Ms", "How long the client waits, milliseconds.", { type: "number", minimum: 1 }),
};

/** RFC 9457, with what a failed Response has. */
const problem: JsonSchema = {
  type: "object",
  properties: {
    code: { type: "string", description: "One of the closed list of error codes." },
    detail: { type: "string", description: "A message for people." },
    reason: { type: "string", description: "A word that the function chose." },
    retry_after_ms: { type: "number" },
    request_id: { type: "string" },
    status: { type: "integer" },
  },
  required: ["code", "detail"],
};

const failureResponse = {
  description: "It failed.",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/problem" } } },
};
