import type { TraceContext } from "../core/request-info.ts";

/**
 * A request's place in a W3C trace: one object for all events of the request, by which a tracing adapter finds its
 * spans. A request id would not do, because clients choose it and may repeat it.
 */
export class RequestTrace {
  /** The context that came with the request, or null. */
  readonly parent: TraceContext | null;
  /** The context passed on to functions: the received one, until an adapter replaces it by its own span. */
  current: TraceContext | null;

  constructor(parent: TraceContext | null) {
    this.parent = parent;
    this.current = parent;
  }
}
