import { type GenApiError, libraryError } from "../errors.ts";

/** What could not be listened on. */
export interface ListenTarget {
  /** For whom: "clients". */
  readonly by: string;
  /** `127.0.0.1 port 4000`, `unix:/run/admin.sock`. */
  readonly where: string;
  /** The option that says where. */
  readonly option: string;
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use already (EADDRINUSE); end what uses it",
  EACCES: "this user may not (EACCES); give it the right to",
  EADDRNOTAVAIL: "this machine has no such address (EADDRNOTAVAIL); give it one",
  ENOTFOUND: "the name of the host is unknown (ENOTFOUND); make it known",
};

/** The error of a server that cannot listen: where, why, and what an operator can do about it. */
export function listenFailed({ by, where, option }: ListenTarget, cause: NodeJS.ErrnoException): GenApiError {
  const code = cause.code ?? cause.message;
  const reason = Object.hasOwn(reasons, code) ? `${reasons[code]}, or change the option ${option}` : code;
  return libraryError("listen_failed", `Cannot listen for ${by} on ${where}: ${reason}`, { cause });
}
