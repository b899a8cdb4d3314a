import type { TraceContext } from "../core/request-info.ts";

/**
 * A request's place in a W3C trace: one object in all events of the request, so that a tracing adapter finds its spans
 * by it. A request id would not do: clients choose it, and may choose it twice.
 */
export class RequestTrace {
  /** The context that came with the request, or null. */
  readonly parent: TraceContext | null;
  /** What is passed on to functions: what came, until an adapter puts its own span here. */
  current: TraceContext | null;

  constructor(parent: TraceContext | null) {
    this.parent = parent;
    this.current = parent;
  }
}
