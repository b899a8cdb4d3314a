/** A request that the admin listener has admitted. */
export interface AdminRequest {
  readonly query: URLSearchParams;
  /** The parsed JSON of a POST; undefined for a GET. */
  readonly body: unknown;
  /** Aborts when the client is gone, or the route's time is over. */
  readonly signal: AbortSignal;
}

/** The answer to a request to the admin listener. */
export interface AdminAnswer {
  /** The HTTP status. @default 200 */
  readonly status?: number;
  readonly contentType: string;
  readonly body: string;
}

/** An answer in pieces, sent as they come and no faster than the client takes them. */
export interface AdminPieces {
  readonly contentType: string;
  readonly pieces: AsyncIterable<string>;
}

/** One path of the admin listener. */
export interface AdminRoute {
  readonly method: "GET" | "POST";
  /** The whole path: `/metrics`. */
  readonly path: string;
  /** Its time limit, including all pieces, milliseconds. @default 10_000 */
  readonly timeoutMs?: number;
  /** Answers a request. A GenApiError that it throws is reported as such, any other error as `internal`. */
  answer(request: AdminRequest): Promise<AdminAnswer | AdminPieces>;
}

/** An answer of JSON. */
export function json(value: unknown, status = 200): AdminAnswer {
  return { status, contentType: "application/json; charset=utf-8", body: `${JSON.stringify(value ?? null)}\n` };
}
