/** A name as one token of a subject, or of a store's key: without dots and wildcards. */
export function encodeName(name: string): string {
  return Buffer.from(name, "utf8").toString("base64url");
}

/** The name behind a token of {@link encodeName}; null for any other token. */
export function decodeName(token: string): string | null {
  const name = Buffer.from(token, "base64url").toString("utf8");
  return name !== "" && encodeName(name) === token ? name : null;
}
