import type { InspectionEvent } from "xstate";
import { toError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";

const failed = telemetryEvent("inspection.observer.exception");

/** Whoever watches the actors of a system: any XState inspection observer, or a function. */
export type InspectionObserver =
  | ((event: InspectionEvent) => void)
  | { next?(event: InspectionEvent): void; error?(error: unknown): void };

/**
 * Wraps an observer so that it harms nothing: XState fails the actor that is being inspected when its inspector
 * throws. An observer that throws is told so by its `error`, once, and hears nothing more.
 *
 * @param onFailure runs when the observer threw, to detach it
 */
export function harmlessObserver(
  observer: InspectionObserver,
  onFailure: () => void,
): { next(event: InspectionEvent): void } {
  let isDetached = false;
  return {
    next(event) {
      if (isDetached) return;
      try {
        if (typeof observer === "function") observer(event);
        else observer.next?.(event);
      } catch (error) {
        isDetached = true;
        onFailure();
        report(observer, error);
      }
    },
  };
}

/** Tells the observer, and telemetry: a function has no other way to hear of it. */
function report(observer: InspectionObserver, thrown: unknown): void {
  failed.emit({ count: 1 }, { error: toError(thrown) });
  if (typeof observer === "function") return;
  try {
    observer.error?.(thrown);
  } catch (again) {
    failed.emit({ count: 1 }, { error: toError(again) });
  }
}
