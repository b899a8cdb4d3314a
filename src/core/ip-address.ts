import { isIPv4, isIPv6, SocketAddress } from "node:net";

/**
 * An IP address as sockets write it: IPv6 in one way only, without a zone; IPv4 in IPv6's clothes as what it is.
 * @returns undefined for what is no address
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text)) return undefined;
  const { address } = new SocketAddress({ address: text, family: "ipv6" });
  const asIPv4 = address.replace(/^::ffff:/, "");
  return isIPv4(asIPv4) ? asIPv4 : address;
}
