/** The target in the first line of an HTTP request. */
export interface RequestTarget {
  /** The host and port of a target that is a whole URL; null for any other. */
  readonly authority: string | null;
  /** In the form of {@link normalPath}. */
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

/** Parses a request's `url`. A whole URL (RFC 9112, 3.2.2) is equivalent to its path. */
export function readTarget(url = "/"): RequestTarget {
  const [, authority, rest = ""] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [undefined, undefined, url];
  const mark = rest.indexOf("?");
  const path = mark === -1 ? rest : rest.slice(0, mark);
  return { authority: authority ?? null, path: normalPath(path), query: mark === -1 ? "" : rest.slice(mark + 1) };
}

/** A path without empty segments, as Phoenix reads it: "//socket/" is "/socket", and "" is "/". */
export function normalPath(path: string): string {
  if (path !== "" && !path.startsWith("/")) return path;
  return `/${path.split("/").filter(Boolean).join("/")}`;
}
