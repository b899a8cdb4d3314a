/** Makes spans of what a gateway or a service node does: what its option `tracing` takes. */
export interface Tracing {
  /**
   * Follows the gateway, or service node, of this name. For the program itself: it is the option that switches it on.
   * @returns how to stop that
   */
  attach(program: string): () => void;
}
