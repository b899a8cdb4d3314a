import { hash } from "node:crypto";
import { canonicalAddress, networkOf } from "../../core/net/ip-address.ts";
import { claimPrefix, type RateLimitedRequest, type ScopedRateLimit } from "./rate-limit.ts";

/** The key of a window: a value of the limit's key or, if that is too long to keep, its hash. */
export type WindowKey = string | number | bigint;

const maxBytes = 256;
// A unit of UTF-16 takes at most three bytes in UTF-8.
const surelyShort = Math.floor(maxBytes / 3);
const nothingUsable: WindowKey = -1n;

/**
 * The key under which a limit counts `request`; undefined if the limit does not apply.
 *
 * An argument that is absent, null or neither a string nor a finite number counts as one particular value, so that
 * clients cannot escape a limit by leaving it out or sending something else. Only global limits do not apply to
 * requests without the argument, because most functions do not have it. A claim is the host's word: without it the
 * limit does not apply.
 */
export function windowKeyOf({ key, scope }: ScopedRateLimit, request: RateLimitedRequest): WindowKey | undefined {
  switch (key) {
    case "userId":
      return request.userId === null ? undefined : keyOfText(request.userId);
    case "deviceId":
      return request.deviceId === null ? undefined : keyOfText(request.deviceId);
    case "ipAddress":
      return request.ipAddress === null ? undefined : keyOfText(networkOf(request.ipAddress));
    default:
      return key.startsWith(claimPrefix)
        ? keyOfNamed(request.claims, key.slice(claimPrefix.length), true)
        : keyOfNamed(request.args, key, scope === "global");
  }
}

/** The key under which limits with this key count a given value; an address may be in any notation. */
export function keyOfValue(key: string, value: unknown): WindowKey {
  if (typeof value === "string") {
    return keyOfText(key === "ipAddress" ? networkOf(canonicalAddress(value) ?? value) : value);
  }
  return typeof value === "number" && Number.isFinite(value) ? value : nothingUsable;
}

/** @param ifPresent whether the limit applies only to requests that have the value */
function keyOfNamed(values: Readonly<Record<string, unknown>> | undefined, name: string, ifPresent: boolean) {
  const value = values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
  return ifPresent && (value === undefined || value === null) ? undefined : keyOfValue(name, value);
}

function keyOfText(text: string): WindowKey {
  if (text.length <= surelyShort || (text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes)) return text;
  // A bigint equals no string, so a client cannot use the hash of another client's value.
  return BigInt(`0x${hash("sha256", text, "hex")}`);
}
