import { libraryError, messageOf, toError } from "../../core/errors.ts";
import { encodeResult } from "../../execution/encode-result.ts";

/**
 * The JSON of a payload that a host pushes; without one, `{}`.
 *
 * @param called the method, for messages
 * @throws GenApiError `invalid_option` for what JSON cannot hold, and for more than `maxBytes` of UTF-8
 */
export function pushPayload(called: string, payload: unknown, maxBytes: number): string {
  if (payload === undefined) return "{}";
  try {
    return encodeResult(payload, maxBytes, "payload");
  } catch (thrown) {
    const error = toError(thrown);
    throw libraryError("invalid_option", `${called}: ${messageOf(error)}`, { cause: error });
  }
}
