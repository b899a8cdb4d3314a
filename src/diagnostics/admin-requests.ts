import { z } from "zod";
import { faultsError, faultsOf, must } from "../core/faults.ts";
import type { InspectedRequest } from "./inspect-request.ts";

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
};

const inspectSchema = z.strictObject({ ...requestFields, ipAddress: textOrNull.default(null) });

/** The longest that a call by way of the admin listener may take, milliseconds. */
export const maxCallMs = 300_000;

const timeoutMs = z.int({ error: must(`a whole number of milliseconds up to ${maxCallMs}`) });
const callSchema = z.strictObject({
  ...requestFields,
  timeoutMs: timeoutMs.min(1).max(maxCallMs).default(30_000),
});

/** A request to be inspected, as it came. @throws GenApiError `invalid_request` */
export function inspectedRequestOf(body: unknown): InspectedRequest {
  return withoutAbsentId(parsed(inspectSchema, body));
}

/** A call, as it came. @throws GenApiError `invalid_request` */
export function callOf(body: unknown) {
  const { timeoutMs: ms, ...request } = parsed(callSchema, body);
  return { request: withoutAbsentId(request), timeoutMs: ms };
}

function withoutAbsentId<Given extends { readonly requestId?: string | undefined }>({ requestId, ...rest }: Given) {
  return requestId === undefined ? rest : { ...rest, requestId };
}

function parsed<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw faultsError("invalid_request", "Invalid request", faultsOf(result.error));
}
