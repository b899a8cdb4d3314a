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
    // What is left of a body that was not read must not be taken for the next request.
    ...(request.complete || request.method === "GET" ? {} : { connection: "close" }),
    ...headers,
  });
  response.end(request.method === "HEAD" ? "" : body);
}

/**
 * Sends an answer piece by piece.
 * @param signal aborts when nobody waits for the rest, or it has taken too long: then the connection is closed
 * @throws what the pieces throw
 */
export async function sendPieces(response: ServerResponse, { contentType, pieces }: AdminPieces, signal: AbortSignal) {
  response.writeHead(200, headersOf(contentType));
  try {
    await pipeline(pieces, response, { signal });
  } catch (error) {
    // Else that is why.
    if (!signal.aborted) throw error;
  }
}

function headersOf(contentType: string) {
  return { "content-type": contentType, "cache-control": "no-store", "x-content-type-options": "nosniff" };
}
