import { z } from "zod";
import type { HostRequest } from "../call/host/host-calls.ts";
import { faultsError, faultsOf, must, namesKeys } from "../core/faults.ts";
import { documentFormats } from "../description/documents/document.ts";

const text = z.string({ error: must("a string") });
const textOrNull = z.string({ error: must("a string or null") }).nullable();

const requestFields = {
  service: text,
  requestType: text,
  args: z.record(z.string(), z.unknown(), { error: must("a map") }).default({}),
  version: textOrNull.default(null),
  requestId: text.optional(),
  userId: textOrNull.default(null),
  deviceId: textOrNull.default(null),
  userRoles: z.array(text, { error: must("a list of roles") }).default([]),
  ipAddress: textOrNull.default(null),
  claims: z.record(z.string(), z.unknown(), { error: must("a map") }).default({}),
};

const inspectSchema = z.strictObject(requestFields);

/** The time limit of a call through the admin listener, milliseconds. */
export const maxCallMs = 300_000;

const timeoutMs = z.int({ error: must(`a whole number of milliseconds up to ${maxCallMs}`) });
const callSchema = z.strictObject({
  ...requestFields,
  timeoutMs: timeoutMs.min(1).max(maxCallMs).default(30_000),
});

/**
 * A request to be inspected, from the body of a POST.
 * @throws GenApiError `invalid_request`
 */
export function inspectedRequestOf(body: unknown): HostRequest {
  return withoutAbsentId(parsed(inspectSchema, body));
}

/**
 * A call, from the body of a POST.
 * @throws GenApiError `invalid_request`
 */
export function callOf(body: unknown) {
  const { timeoutMs: ms, ...request } = parsed(callSchema, body);
  return { request: withoutAbsentId(request), timeoutMs: ms };
}

const reloadSchema = z.strictObject({
  service: text,
  force: z.boolean({ error: must("true or false") }).default(false),
});

/** Threads may take 10 s to start and each module 10 s to be imported; and other reloads may come first. Milliseconds. */
export const reloadTimeoutMs = 120_000;

/**
 * A service to be reloaded, from the body of a POST.
 * @throws GenApiError `invalid_request`
 */
export function reloadOf(body: unknown) {
  return parsed(reloadSchema, body);
}

const describeSchema = z.strictObject({
  format: z
    .enum(documentFormats, { error: must(documentFormats.map((name) => `"${name}"`).join(", ")) })
    .default("json"),
  service: textOrNull.default(null),
  url: textOrNull
    .refine((url) => url === null || (URL.canParse(url) && /^(?:ws|http)s?:/.test(url)), {
      error: must("an address like wss://example.com"),
    })
    .default(null),
  identity: z
    .strictObject({ userId: requestFields.userId, userRoles: requestFields.userRoles, claims: requestFields.claims })
    .optional(),
});

/**
 * A description to be made, from the body of a POST.
 * @throws GenApiError `invalid_request`
 */
export function describedOf(body: unknown) {
  return parsed(describeSchema, body);
}

function withoutAbsentId<Given extends { readonly requestId?: string | undefined }>({ requestId, ...rest }: Given) {
  return requestId === undefined ? rest : { ...rest, requestId };
}

function parsed<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body, namesKeys);
  if (result.success) return result.data;
  throw faultsError("invalid_request", "Invalid request", faultsOf(result.error));
}
