/** A request to the admin listener that was let in. */
export interface AdminRequest {
  readonly query: URLSearchParams;
  /** What the JSON of a POST says; undefined of a GET. */
  readonly body: unknown;
  /** Aborts when whoever asked is gone, or the route's time is over. */
  readonly signal: AbortSignal;
}

/** What a request to the admin listener is answered. */
export interface AdminAnswer {
  /** @default 200 */
  readonly status?: number;
  readonly contentType: string;
  readonly body: string;
}

/** An answer that goes on: its pieces are sent as they come, and no faster than they are taken. */
export interface AdminPieces {
  readonly contentType: string;
  readonly pieces: AsyncIterable<string>;
}

/** One path of the admin listener. */
export interface AdminRoute {
  readonly method: "GET" | "POST";
  /** The whole path: `/metrics`. */
  readonly path: string;
  /** How long it may take, all pieces included, milliseconds. @default 10_000 */
  readonly timeoutMs?: number;
  /** A GenApiError that it throws is told as such, anything else as `internal`. */
  answer(request: AdminRequest): Promise<AdminAnswer | AdminPieces>;
}

/** An answer of JSON. */
export function json(value: unknown, status = 200): AdminAnswer {
  return { status, contentType: "application/json; charset=utf-8", body: `${JSON.stringify(value ?? null)}\n` };
}
