import { shown } from "../../core/faults.ts";
import { canonicalAddress } from "../../core/net/ip-address.ts";
import { type Failure, invalidRequest } from "../request/failure.ts";

/** The `ipAddress` of a host's request, in the form that connections have, or its fault. */
export function hostAddress(given: unknown): string | null | Failure {
  if (given === undefined || given === null) return null;
  const address = typeof given === "string" ? canonicalAddress(given) : undefined;
  return address ?? invalidRequest(`ipAddress must be an IP address or null, got ${shown(given)}`);
}
