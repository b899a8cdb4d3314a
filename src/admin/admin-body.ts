import type { IncomingMessage } from "node:http";
import { type AdminAnswer, json } from "./admin-route.ts";

/** The most bytes of a request's body. */
const maxBytes = 1024 * 1024;

/** A parsed body, or the answer that refuses the request. */
export type AdminBody = { readonly value: unknown } | { readonly refused: AdminAnswer };

/** Reads the JSON of a POST. Never rejects; an aborted request is refused, though there is no one left to read it. */
export async function readBody(request: IncomingMessage): Promise<AdminBody> {
  // Web pages can send other types without a preflight request.
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    return refusedBody(415, "the body must be application/json");
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) return refusedBody(413, `the body must have at most ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return { value: JSON.parse(Buffer.concat(chunks).toString("utf8")) };
  } catch {
    return refusedBody(400, "the body must be JSON");
  }
}

function refusedBody(status: number, message: string): AdminBody {
  return { refused: json({ error: { code: "invalid_request", message } }, status) };
}
