import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { isThenable } from "../../core/foreign/thenable.ts";
import type { Claims } from "../../core/request-info.ts";

/** What a channel's `join` says about a client that it lets in. */
export interface JoinedOptions {
  /**
   * Claims for this channel, beside those of `connect`; of two with the same name, these hold. JSON values by name, at
   * most 8 KiB together with those of `connect`. @default none
   */
  readonly claims?: Claims | null;
  /** The reply to the join. @default {} */
  readonly reply?: unknown;
}

// A global symbol, so that we recognise an instance of any copy of the package.
const brand = Symbol.for("gen-api.Joined");

/**
 * Returned by a channel's `join` to add claims: `return new Joined({ claims: { room }, reply: {} })`. Any other value
 * that `join` returns is the reply itself.
 */
export class Joined {
  /** As given. */
  readonly claims: Claims | null;
  /** As given. */
  readonly reply: unknown;

  /**
   * @param options the client's claims on this channel, and the reply
   * @throws GenApiError `invalid_option` for anything but an object, and for a promise
   */
  constructor(options: JoinedOptions = {}) {
    // Only two of its fields are kept.
    hearPromises(options);
    if (typeof options !== "object" || options === null || isThenable(options)) {
      throw libraryError("invalid_option", `new Joined takes {claims, reply}, got ${shown(options)}`);
    }
    const { claims = null, reply } = options;
    this.claims = claims;
    this.reply = reply;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Whether `value` is a {@link Joined}. Throws if it cannot be inspected. */
export function isJoined(value: unknown): value is Joined {
  return typeof value === "object" && value !== null && brand in value;
}
