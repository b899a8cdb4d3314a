/** How a command ends; 2 is commander's own for a wrong use. */
export const exitCodes = {
  ok: 0,
  /** The answer says no: a call failed, a gateway is down, there is no such function. */
  failed: 1,
  usage: 2,
  /** No gateway answers there. */
  unreachable: 3,
  /** It does not let us in, or does not allow what was asked. */
  refused: 4,
} as const;

/** An end of a command that its user is told in a sentence. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
