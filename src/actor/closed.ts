/** How a gateway or a service node ended. */
export type Closed =
  /** It was asked to. */
  | { readonly reason: "stopped" }
  | {
      readonly reason: "error";
      /** What ended the root of its tree; usually `max_restarts`. */
      readonly error: Error;
    };
