/** The stages of a request, in their order. */
export type StageName =
  | "resolve"
  | "idempotency_key"
  | "before_execute"
  | "permission"
  | "owner"
  | "rate_limits"
  | "nodes"
  | "permission_callback"
  | "repeat"
  | "arguments"
  | "arguments_check"
  | "execution"
  | "after_execute";

/** What a stage is configured to do, or would do. */
export interface StageText {
  /** For people. */
  readonly summary: string;
  /** For programs. Contains no argument values. */
  readonly details: Readonly<Record<string, unknown>>;
}
