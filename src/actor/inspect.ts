import type { InspectionEvent } from "xstate";

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
  let failed = false;
  return {
    next(event) {
      if (failed) return;
      try {
        if (typeof observer === "function") observer(event);
        else observer.next?.(event);
      } catch (error) {
        failed = true;
        onFailure();
        report(observer, error);
      }
    },
  };
}

function report(observer: InspectionObserver, error: unknown): void {
  if (typeof observer === "function") return;
  try {
    observer.error?.(error);
  } catch {
    // It has been told, it is detached, and there is nobody else to tell.
  }
}
