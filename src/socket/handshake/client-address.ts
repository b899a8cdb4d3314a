import { BlockList, isIP, isIPv4 } from "node:net";
import { shown } from "../../core/faults.ts";
import { canonicalAddress } from "../../core/net/ip-address.ts";

/**
 * How far to trust proxies about a client's address in `X-Forwarded-For`: not at all (false); for a number of hops, of
 * which the connection's own peer is the first; or for proxies listed by address and CIDR range.
 */
export type TrustProxy = false | number | readonly string[];

/**
 * The client's address of a connection.
 *
 * @param peer the address of the socket's other end
 * @param forwardedFor the request's `X-Forwarded-For`, if it has one
 */
export type ClientAddress = (peer: string, forwardedFor: string | undefined) => string;

/** Every fault of the option `trustProxy`; none for a valid one. */
export function checkTrustProxy(value: unknown): string[] {
  if (value === false || (Number.isSafeInteger(value) && (value as number) >= 0)) return [];
  if (!Array.isArray(value)) return [`must be false, a number of hops or a list of CIDRs, got ${shown(value)}`];
  return value.flatMap((range, place) =>
    typeof range === "string" && parseRange(range) !== undefined
      ? []
      : [`[${place}] must be an IP address or a CIDR such as "10.0.0.0/8", got ${shown(range)}`],
  );
}

/**
 * Makes the rule for a checked `trustProxy`: the client is the right-most address that is not a trusted proxy, because
 * everything to its left is only that address's own claim. If all are trusted, it is the left-most. An entry that is
 * not an address ends the search at the proxy that passed it on.
 *
 * IPv6 addresses are normalised, and IPv4 addresses mapped into IPv6 become plain IPv4.
 */
export function clientAddressRule(trustProxy: TrustProxy): ClientAddress {
  const isTrusted = trustRule(trustProxy);
  return (peer, forwardedFor) => {
    let address = canonicalAddress(peer) ?? peer;
    let left = forwardedFor?.length ?? 0;
    for (let hop = 0; left > 0 && isTrusted(address, hop); hop++) {
      const comma = (forwardedFor as string).lastIndexOf(",", left - 1);
      const next = forwardedAddress((forwardedFor as string).slice(comma + 1, left));
      if (next === undefined) break;
      address = next;
      left = comma;
    }
    return address;
  };
}

function trustRule(trustProxy: TrustProxy): (address: string, hop: number) => boolean {
  if (trustProxy === false) return () => false;
  if (typeof trustProxy === "number") return (_address, hop) => hop < trustProxy;
  const trusted = new BlockList();
  for (const text of trustProxy) {
    const range = parseRange(text);
    if (range !== undefined) trusted.addSubnet(range.address, range.bits, familyOf(range.address));
  }
  return (address) => isIP(address) !== 0 && trusted.check(address, familyOf(address));
}

function parseRange(text: string): { readonly address: string; readonly bits: number } | undefined {
  const [host = "", suffix, ...more] = text.split("/");
  const address = canonicalAddress(host);
  if (address === undefined || more.length > 0) return undefined;
  // The 96 bits shared by all IPv4 addresses mapped into IPv6 do not count in a range of them.
  const unused = isIPv4(address) && !isIPv4(host) ? 96 : 0;
  const most = isIPv4(address) ? 32 : 128;
  if (suffix === undefined) return { address, bits: most };
  const bits = /^\d{1,3}$/.test(suffix) ? Number(suffix) - unused : -1;
  return bits >= 0 && bits <= most ? { address, bits } : undefined;
}

/** An entry of `X-Forwarded-For`; some proxies add a port. */
function forwardedAddress(entry: string): string | undefined {
  const text = entry.trim();
  return (
    canonicalAddress(text) ?? canonicalAddress(text.replace(/^\[(.*)\](:\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1"))
  );
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}
