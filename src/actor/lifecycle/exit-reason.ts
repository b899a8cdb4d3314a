/**
 * Why an actor ended: it reached its end by itself, was asked to end (`actor.shutdown`), was stopped without being
 * asked, or crashed. The words are those of Erlang's exit reasons.
 */
export type ExitReason = "normal" | "shutdown" | "killed" | { readonly error: Error };
