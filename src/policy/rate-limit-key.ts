import { hash } from "node:crypto";
import { canonicalAddress } from "../core/ip-address.ts";
import type { RateLimitedRequest, ScopedRateLimit } from "./rate-limit.ts";

/** What a window is found by: a value of the limit's key or, where that is too long to be kept, its hash. */
export type WindowKey = string | number | bigint;

const maxBytes = 256;
// A unit of UTF-16 takes at most three bytes in UTF-8.
const surelyShort = Math.floor(maxBytes / 3);
const nothingUsable: WindowKey = -1n;

/**
 * What `request` is counted under by a limit; undefined where the limit does not apply.
 *
 * An argument that is absent, null or neither a string nor a finite number is one value like any other, so that nobody
 * escapes a limit by leaving it out or sending something else. A global limit alone does not apply to requests without
 * the argument: most functions do not have it.
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
      return keyOfArgument(request.args, key, scope === "global");
  }
}

/** What a value that is at hand is counted under by limits with this key; an address may be written in any way. */
export function keyOfValue(key: string, value: unknown): WindowKey {
  if (typeof value === "string") {
    return keyOfText(key === "ipAddress" ? networkOf(canonicalAddress(value) ?? value) : value);
  }
  return typeof value === "number" && Number.isFinite(value) ? value : nothingUsable;
}

function keyOfArgument(args: Readonly<Record<string, unknown>>, name: string, ifPresent: boolean) {
  const value = Object.hasOwn(args, name) ? args[name] : undefined;
  return ifPresent && (value === undefined || value === null) ? undefined : keyOfValue(name, value);
}

function keyOfText(text: string): WindowKey {
  if (text.length <= surelyShort || (text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes)) return text;
  // A bigint equals no string, so nobody can name the hash of somebody else's value.
  return BigInt(`0x${hash("sha256", text, "hex")}`);
}

/**
 * An IPv4 address as it is; of an IPv6 address, written as `canonicalAddress` does, the upper 64 bits. The lower 64 are
 * chosen by whoever has the network, which may be a single client: each address of its own would be a new key.
 */
function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [left = "", right] = address.split("::");
  const groups = left === "" ? [] : left.split(":");
  if (right !== undefined) {
    const after = right === "" ? [] : right.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}
