import { quote } from "../core/quote.ts";
import type { Status } from "./events.ts";
import type { Ref } from "./message.ts";

/** A ref as JSON. */
export function encodeRef(ref: Ref): string {
  return typeof ref === "string" ? quote(ref) : JSON.stringify(ref);
}

/** The payload of a `phx_reply`. */
export function replyPayload(status: Status, response: string): string {
  return `{"status":"${status}","response":${response}}`;
}
