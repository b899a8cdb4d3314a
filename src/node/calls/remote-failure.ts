import { type GenApiError, toError } from "../../core/errors.ts";
import { unavailableError } from "../../core/failures.ts";
import { errorOf, internalData, type ThrownData, thrownData } from "../../execution/thrown-data.ts";

type ErrorData = (ThrownData & { kind: "internal" })["cause"];

/** A call's failure on its way to the gateway. */
export type RemoteFailure = ThrownData | { readonly kind: "unavailable"; readonly cause: ErrorData };

/** The data that a node sends of a failure. */
export function failureData(error: GenApiError): RemoteFailure {
  if (error.code === "failed") return thrownData(error);
  if (error.code === "invalid_argument") return { kind: "refused", message: error.message };
  const { cause } = internalData(error.cause === undefined ? error : toError(error.cause));
  return { kind: error.code === "unavailable" ? "unavailable" : "internal", cause };
}

/** The error that the data describes: `failed`, `invalid_argument`, `unavailable` or `internal`, whatever a node sends. */
export function remoteError(data: unknown): GenApiError {
  const failure = data as RemoteFailure | null;
  if (failure?.kind === "unavailable") {
    // Only the part that `errorOf` can rebuild.
    return unavailableError(toError(errorOf({ kind: "internal", cause: failure.cause }).cause));
  }
  if (failure?.kind !== "failed") return errorOf(failure as ThrownData);
  // A client sees these two unchanged.
  return errorOf({ ...failure, canRetry: failure.canRetry === true, retryable: failure.retryable === true });
}
