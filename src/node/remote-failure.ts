import { type GenApiError, toError } from "../core/errors.ts";
import { errorOf, internalData, type ThrownData, thrownData } from "../worker/thrown-data.ts";
import { nodeUnavailable } from "./unavailable.ts";

type ErrorData = (ThrownData & { kind: "internal" })["cause"];

/** A call's failure on its way to the gateway. */
export type RemoteFailure = ThrownData | { readonly kind: "unavailable"; readonly cause: ErrorData };

/** What a node tells of a failure. */
export function failureData(error: GenApiError): RemoteFailure {
  if (error.code === "failed") return thrownData(error);
  const { cause } = internalData(error.cause === undefined ? error : toError(error.cause));
  return { kind: error.code === "unavailable" ? "unavailable" : "internal", cause };
}

/** The error that it stands for, whatever the node sent: `failed`, `unavailable` or `internal`. */
export function failureOf(data: unknown): GenApiError {
  const failure = data as RemoteFailure | null;
  if (failure?.kind === "unavailable") {
    // Only what `errorOf` can rebuild of it.
    return nodeUnavailable(toError(errorOf({ kind: "internal", cause: failure.cause }).cause));
  }
  if (failure?.kind !== "failed") return errorOf(failure as ThrownData);
  // A client sees these two as they are.
  return errorOf({ ...failure, canRetry: failure.canRetry === true, retryable: failure.retryable === true });
}
