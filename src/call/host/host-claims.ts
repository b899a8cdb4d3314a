import { type GenApiError, isGenApiError } from "../../core/errors.ts";
import type { Claims } from "../../core/request-info.ts";
import { readClaims } from "../request/claims.ts";

/** The `claims` of a host's request, or the error that says what is wrong with them. */
export function hostClaims(given: unknown): Claims | GenApiError {
  try {
    return readClaims(given, "claims");
  } catch (thrown) {
    if (isGenApiError(thrown)) return thrown;
    throw thrown;
  }
}
