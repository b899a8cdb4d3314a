import type { JsonSchema } from "../../arguments/json-schema.ts";
import type { ChannelDescription, GatewayDescription } from "../gateway-description.ts";
import {
  type DescribedFunction,
  describedFunctions,
  keyOf,
  newName,
  versionOf,
  wordsOf,
} from "./described-functions.ts";
import { embeddedSchema } from "./embedded-schema.ts";
import type { DocumentOptions } from "./openapi.ts";

interface NamedChannel extends ChannelDescription {
  readonly name: string;
}

/** An AsyncAPI document, version 3.0, of the functions as they are called over Phoenix channels. */
export function asyncApiDocument(description: GatewayDescription, { url }: DocumentOptions = {}): object {
  const functions = describedFunctions(description);
  const names = new Set<string>();
  const channels = description.channels.map(
    (channel): NamedChannel => ({
      ...channel,
      name: newName(keyOf(channel.topic), names),
    }),
  );
  const schemas = new Map<string, JsonSchema>();
  const messages = channels.flatMap((channel) =>
    functions.flatMap((described) => Object.entries(messagesOf(channel, described, schemas))),
  );
  return {
    asyncapi: "3.0.0",
    info: { title: description.gateway, version: versionOf(functions), description: protocolText },
    defaultContentType: "application/json",
    ...(url === undefined ? {} : { servers: { gateway: serverOf(url, description.socketPath) } }),
    channels: Object.fromEntries(channels.map((channel) => [channel.name, channelOf(channel, functions)])),
    operations: Object.fromEntries(
      channels.flatMap((channel) => functions.map((described) => operationOf(channel, described))),
    ),
    components: {
      messages: Object.fromEntries(messages),
      schemas: Object.fromEntries(
        Array.from(schemas, ([key, schema]) => [key, formatted(embeddedSchema(schema, placeOf(key)))]),
      ),
    },
  };
}

const protocolText =
  "Frames are JSON arrays `[join_ref, ref, topic, event, payload]`, as Phoenix Channels 2.0.0 has them. Join the topic with `phx_join` first. Each request has one `phx_reply` as well, whose response is the request type.";

// AsyncAPI's own schemas are those of draft 7.
const schemaFormat = "application/schema+json;version=2020-12";

function formatted(schema: JsonSchema): object {
  return { schemaFormat, schema };
}

function placeOf(key: string): string {
  return `#/components/schemas/${key}/schema`;
}

function serverOf({ protocol, host }: URL, socketPath: string): object {
  const isSecure = protocol === "wss:" || protocol === "https:";
  return { host, protocol: isSecure ? "wss" : "ws", pathname: `${socketPath}/websocket`, protocolVersion: "2.0.0" };
}

function channelOf({ topic, event, name }: NamedChannel, functions: readonly DescribedFunction[]): object {
  const isPattern = topic.endsWith("*");
  return {
    address: isPattern ? `${topic.slice(0, -1)}{topic}` : topic,
    description: `Requests and Responses are pushed with the event "${event}".`,
    ...(isPattern ? { parameters: { topic: { description: "The rest of the topic." } } } : {}),
    messages: Object.fromEntries(
      functions.flatMap((described) =>
        messageNames(name, described).map((key) => [key, { $ref: `#/components/messages/${key}` }]),
      ),
    ),
  };
}

/** The names of a function's messages on a channel: its request and, unless nothing follows, its Responses. */
function messageNames(channel: string, { name, responseType }: DescribedFunction): string[] {
  const request = `${channel}.${name}.request`;
  return responseType === "none" ? [request] : [request, `${channel}.${name}.response`];
}

function operationOf({ name: channel }: NamedChannel, described: DescribedFunction): readonly [string, object] {
  const [request = "", response] = messageNames(channel, described);
  const { service, requestType, name } = described;
  const words = wordsOf(described);
  const channelRef = { $ref: `#/channels/${channel}` };
  const messageRef = (key: string) => ({ $ref: `#/channels/${channel}/messages/${key}` });
  const operation = {
    action: "receive",
    channel: channelRef,
    summary: `${service} ${requestType}, answered as ${described.responseType}`,
    ...(words === undefined ? {} : { description: words }),
    tags: [{ name: service }],
    messages: [messageRef(request)],
    ...(response === undefined ? {} : { reply: { channel: channelRef, messages: [messageRef(response)] } }),
    "x-gen-api": {
      responseType: described.responseType,
      deprecated: described.deprecated,
      permission: described.permission,
      hints: described.hints,
      limits: described.limits,
    },
  };
  return [`${channel}.${name}`, operation];
}

function messagesOf(
  channel: NamedChannel,
  described: DescribedFunction,
  schemas: Map<string, JsonSchema>,
): Record<string, object> {
  const { service, requestType, responseType, name, versions, deprecated } = described;
  const [request = "", response] = messageNames(channel.name, described);
  const args = named(schemas, `${name}.args`, described.argsSchema);
  const isDeprecated = deprecated === false ? {} : { deprecated: true };
  const requestPayload: JsonSchema = {
    type: "object",
    properties: {
      service: { const: service },
      request_type: { const: requestType },
      request_id: { type: "string" },
      args,
      ...(versions.length === 0 ? {} : { version: { enum: [...versions, null] } }),
      timeout_ms: { type: ["number", "null"], minimum: 1 },
      idempotency_key: { type: ["string", "null"], minLength: 1 },
      ...(responseType === "stream"
        ? { window: { type: ["integer", "null"] }, resume: { type: ["boolean", "null"] } }
        : {}),
    },
    required: ["service", "request_type", "request_id"],
  };
  const messages: Record<string, object> = {
    [request]: { name: request, ...isDeprecated, payload: frame(channel, requestPayload) },
  };
  if (response === undefined) return messages;
  return { ...messages, [response]: { name: response, payload: frame(channel, responsePayload(described, schemas)) } };
}

function responsePayload(described: DescribedFunction, schemas: Map<string, JsonSchema>): JsonSchema {
  const { responseType, resultSchema, chunkSchema, name } = described;
  const isStream = responseType === "stream";
  const known = isStream ? chunkSchema : resultSchema;
  const result = known === null ? {} : named(schemas, `${name}.${isStream ? "chunk" : "result"}`, known);
  // A stream begins with "init"; acknowledgements, the end and failures have no result.
  const others = isStream ? [{ const: "init" }, { type: "null" }] : [{ type: "null" }];
  return {
    type: "object",
    properties: {
      request_id: { type: "string" },
      success: { type: "boolean" },
      result: { anyOf: [result, ...others] },
      error: { type: ["string", "null"] },
      async: { type: "boolean" },
      has_more: { type: "boolean" },
      can_retry: { type: "boolean" },
      error_code: { type: "string" },
      reason: { type: "string" },
      retry_after_ms: { type: "number" },
      seq: { type: "integer" },
      resume_token: { type: "string" },
      replayed: { type: "boolean" },
    },
    required: ["request_id", "success", "result", "error", "async", "has_more", "can_retry"],
  };
}

/** The whole frame around a payload. */
function frame({ event }: ChannelDescription, payload: JsonSchema): object {
  const ref = { type: ["string", "number", "null"] };
  return formatted({
    type: "array",
    prefixItems: [ref, ref, { type: "string" }, { const: event }, payload],
    minItems: 5,
    maxItems: 5,
  });
}

/** A reference to a schema that becomes a component. */
function named(schemas: Map<string, JsonSchema>, key: string, schema: JsonSchema): JsonSchema {
  schemas.set(key, schema);
  return { $ref: placeOf(key) };
}
