import type { ErrorCode } from "../../core/errors.ts";
import type { Failure } from "./failure.ts";

/** How a gateway's requests have ended since it started. */
export interface RequestTotals {
  /** Requests answered with success. */
  readonly succeeded: number;
  /** Failures by error code; codes that never occurred are left out. */
  readonly failed: Readonly<Partial<Record<ErrorCode, number>>>;
}

/** Counts the final answers of a gateway. */
export class RequestCounts {
  #succeeded = 0;
  readonly #failed = new Map<ErrorCode, number>();

  /** @param failure null after a success */
  add(failure: Failure | null): void {
    if (failure === null) this.#succeeded++;
    else this.#failed.set(failure.code, (this.#failed.get(failure.code) ?? 0) + 1);
  }

  get totals(): RequestTotals {
    return { succeeded: this.#succeeded, failed: Object.fromEntries(this.#failed) };
  }
}
