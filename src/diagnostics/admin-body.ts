import type { IncomingMessage } from "node:http";
import { type AdminAnswer, json } from "./admin-route.ts";

/** The most bytes of a request's body. */
const maxBytes = 1024 * 1024;

/** A body that was read, or what the request is answered instead. */
export type AdminBody = { readonly value: unknown } | { readonly refused: AdminAnswer };

/** Reads the JSON of a POST. Never rejects; a request that broke off is refused, to nobody. */
export async function readBody(request: IncomingMessage): Promise<AdminBody> {
  // Pages can send other types without asking first.
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    return refused(415, "the body must be application/json");
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) return refused(413, `the body must have at most ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return { value: JSON.parse(Buffer.concat(chunks).toString("utf8")) };
  } catch {
    return refused(400, "the body must be JSON");
  }
}

function refused(status: number, message: string): AdminBody {
  return { refused: json({ error: { code: "invalid_request", message } }, status) };
}
