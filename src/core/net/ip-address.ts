import { isIPv4, isIPv6, SocketAddress } from "node:net";

/**
 * An IP address in the notation of sockets: IPv6 normalised and without a zone, IPv4 mapped into IPv6 as plain IPv4.
 * @returns undefined for text that is not an address
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text)) return undefined;
  const { address } = new SocketAddress({ address: text, family: "ipv6" });
  const asIPv4 = address.replace(/^::ffff:/, "");
  return isIPv4(asIPv4) ? asIPv4 : address;
}

/**
 * The key under which an address is counted: an IPv4 address itself; for an IPv6 address, in the notation of {@link
 * canonicalAddress}, its upper 64 bits. The lower 64 are free for the owner of the network, who may be a single client.
 */
export function networkOf(address: string): string {
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

/** The network of a socket's peer; "unix" for a socket in the file system, or one that is gone. */
export function networkOfPeer(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return "unix";
  return networkOf(canonicalAddress(remoteAddress) ?? remoteAddress);
}
