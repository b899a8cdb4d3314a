import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { AdminAnswer, AdminPieces } from "./admin-route.ts";

/** Sends an answer at once. */
export function send(
  response: ServerResponse,
  request: IncomingMessage,
  { status = 200, contentType, body }: AdminAnswer,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    ...headersOf(contentType),
    "content-length": Buffer.byteLength(body),
    // The unread rest of a body must not be taken for the next request.
    ...(request.complete || request.method === "GET" ? {} : { connection: "close" }),
    ...headers,
  });
  response.end(request.method === "HEAD" ? "" : body);
}

/**
 * Sends an answer piece by piece.
 * @param signal aborts when the rest is not wanted or takes too long: then the connection is closed
 * @throws the error of the pieces
 */
export async function sendPieces(response: ServerResponse, { contentType, pieces }: AdminPieces, signal: AbortSignal) {
  response.writeHead(200, headersOf(contentType));
  try {
    await pipeline(pieces, response, { signal });
  } catch (error) {
    // Otherwise the abort caused it.
    if (!signal.aborted) throw error;
  }
}

function headersOf(contentType: string) {
  return { "content-type": contentType, "cache-control": "no-store", "x-content-type-options": "nosniff" };
}
