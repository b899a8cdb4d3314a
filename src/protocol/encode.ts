import { quote } from "../core/quote.ts";
import type { ReplyStatus } from "./channel-events.ts";
import type { Ref } from "./message.ts";

/** A ref as JSON. */
export function encodeRef(ref: Ref): string {
  // String() of a bigint has no "n".
  return typeof ref === "string" ? quote(ref) : String(ref);
}

/** The payload of a `phx_reply`. */
export function replyPayload(status: ReplyStatus, response: string): string {
  return `{"status":"${status}","response":${response}}`;
}
