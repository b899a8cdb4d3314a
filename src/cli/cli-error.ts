/** Exit codes; 2 is commander's own for wrong usage. */
export const exitCodes = {
  ok: 0,
  /** The answer is negative: a call failed, a gateway is down, a function does not exist. */
  failed: 1,
  usage: 2,
  /** No gateway answers there. */
  unreachable: 3,
  /** The gateway refuses the user or the request. */
  refused: 4,
} as const;

/** Ends a command with a sentence for its user. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
