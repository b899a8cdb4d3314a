// A global symbol, because a handler may be wrapped by another copy of the package than the one that runs it.
const brand = Symbol.for("gen-api.ArgumentsRefused");

/** What a handler's own schema throws in the place of the handler: the arguments are wrong, and nothing has run. */
export class ArgumentsRefused extends Error {
  /** @param message names what is wrong with them, for the client */
  constructor(message: string) {
    super(message);
    this.name = "ArgumentsRefused";
    Object.defineProperty(this, brand, { value: true });
  }
}

/** The message of an {@link ArgumentsRefused} of any copy of the package; null for anything else. Never throws. */
export function refusalIn(thrown: unknown): string | null {
  try {
    if (typeof thrown !== "object" || thrown === null || !(brand in thrown)) return null;
    const { message } = thrown as { readonly message?: unknown };
    return typeof message === "string" ? message : null;
  } catch {
    return null;
  }
}
