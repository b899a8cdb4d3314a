/** Creates spans for a gateway or a service node: the value of its option `tracing`. */
export interface Tracing {
  /**
   * Follows the gateway or service node of this name. The program calls it itself, because of the option `tracing`.
   * @returns a function that stops it
   */
  attach(program: string): () => void;
}
