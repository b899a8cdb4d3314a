import { type ErrorCode, isGenApiError, libraryError, messageOf, toError } from "./errors.ts";

// Deeper than options and FunConfigs are.
const maxDepth = 8;

/** The fault of a host's value whose getter or proxy threw `thrown` when it was read, with its path. */
export function unreadableFault(value: unknown, thrown: unknown): string {
  const path = unreadablePath(value, "", 0);
  return `${path === null || path === "" ? "" : `${path} `}cannot be read: ${messageOf(toError(thrown))}`;
}

/**
 * The result of `read` for the host's `value`.
 * @throws GenApiError as `read`; with `code`, `what` and the path if the value itself throws when it is read
 */
export function reading<Result>(code: ErrorCode, what: string, value: unknown, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (isGenApiError(thrown)) throw thrown;
    throw libraryError(code, `${what}: ${unreadableFault(value, thrown)}`, { cause: toError(thrown) });
  }
}

/** The path of the first part that throws when it is read; null if there is none. */
function unreadablePath(value: unknown, path: string, depth: number): string | null {
  if (typeof value !== "object" || value === null || depth === maxDepth) return null;
  try {
    // Reading a value starts with its prototype and its keys.
    Object.getPrototypeOf(value);
    for (const key of Object.keys(value)) {
      const partPath = Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
      let part: unknown;
      try {
        part = (value as Readonly<Record<string, unknown>>)[key];
      } catch {
        return partPath;
      }
      const found = unreadablePath(part, partPath, depth + 1);
      if (found !== null) return found;
    }
    return null;
  } catch {
    return path;
  }
}
