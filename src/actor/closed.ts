/** How a gateway or a service node ended. */
export type Closed =
  /** The host asked it to stop. */
  | { readonly reason: "stopped" }
  | {
      readonly reason: "error";
      /** What ended the root of its actor tree; usually `max_restarts`. */
      readonly error: Error;
    };
