import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkTrustProxy, clientAddressRule, type TrustProxy } from "../../../src/socket/handshake/client-address.ts";

const client = (trust: TrustProxy, peer: string, forwardedFor?: string) => clientAddressRule(trust)(peer, forwardedFor);

describe("without a trusted proxy the client is the peer", () => {
  test("whatever the header claims", () => {
    expect(client(false, "203.0.113.7", "1.1.1.1")).toBe("203.0.113.7");
    expect(client(0, "203.0.113.7", "1.1.1.1")).toBe("203.0.113.7");
    expect(client([], "203.0.113.7", "1.1.1.1")).toBe("203.0.113.7");
    expect(client(["10.0.0.0/8"], "203.0.113.7", "1.1.1.1")).toBe("203.0.113.7");
  });
});

test("a peer without an address, as of a Unix socket, is no proxy that addresses are trusted by", () => {
  expect(client(["10.0.0.0/8", "::/0"], "", "1.1.1.1")).toBe("");
  expect(client(1, "", "1.1.1.1")).toBe("1.1.1.1");
});

describe("with a number of hops", () => {
  test("that many right-most addresses are proxies, the peer being the first", () => {
    expect(client(1, "10.0.0.1", "6.6.6.6, 203.0.113.7")).toBe("203.0.113.7");
    expect(client(2, "10.0.0.1", "6.6.6.6, 203.0.113.7, 10.0.0.2")).toBe("203.0.113.7");
  });

  test("the left-most address is the client where there are fewer", () => {
    expect(client(3, "10.0.0.1", "203.0.113.7")).toBe("203.0.113.7");
    expect(client(3, "10.0.0.1")).toBe("10.0.0.1");
    expect(client(3, "10.0.0.1", "")).toBe("10.0.0.1");
  });
});

describe("with trusted addresses and ranges", () => {
  const trust = ["10.0.0.0/8", "192.0.2.1", "fd00::/8"];

  test("the client is the right-most that is not trusted; what stands to its left is not believed", () => {
    expect(client(trust, "10.0.0.1", "6.6.6.6, 203.0.113.7, 192.0.2.1")).toBe("203.0.113.7");
    expect(client(trust, "fd00::1", "10.6.6.6, 203.0.113.7")).toBe("203.0.113.7");
  });

  test("the client is the left-most where all are trusted", () => {
    expect(client(trust, "10.0.0.1", "10.0.0.3, 10.0.0.2")).toBe("10.0.0.3");
  });

  test("an IPv4 address in IPv6's clothes is the IPv4 address, in the peer, the header and the option", () => {
    expect(client(trust, "::ffff:10.0.0.1", "203.0.113.7")).toBe("203.0.113.7");
    expect(client(trust, "10.0.0.1", "::ffff:cb00:7107, ::FFFF:10.0.0.2")).toBe("203.0.113.7");
    expect(client(["::ffff:10.0.0.0/104"], "10.9.9.9", "203.0.113.7")).toBe("203.0.113.7");
    expect(client(["::ffff:10.0.0.0/104"], "11.0.0.1", "203.0.113.7")).toBe("11.0.0.1");
  });
});

test("one IPv6 address, however it is written, is one client", () => {
  for (const written of ["2001:DB8::1", "2001:db8:0:0:0:0:0:1", "[2001:db8::1]", "[2001:db8::1]:443"]) {
    expect(client(1, "10.0.0.1", written)).toBe("2001:db8::1");
  }
  expect(client(1, "10.0.0.1", "203.0.113.7:55321")).toBe("203.0.113.7");
});

test("an entry that is no address is never the client: the proxy that passed it on is", () => {
  for (const entry of ["unknown", "_hidden", "", " ", "1.2.3", "999.1.1.1", "1.1.1.1 2.2.2.2", "::1::2"]) {
    expect(client(2, "10.0.0.1", `6.6.6.6, ${entry}`)).toBe("10.0.0.1");
    expect(client(["10.0.0.0/8"], "10.0.0.1", `6.6.6.6, ${entry}, 10.0.0.2`)).toBe("10.0.0.2");
  }
});

test("what a client puts into the header changes nothing about its address", () => {
  const spoofed = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.constantFrom(",", ", ,", "10.0.0.9", "unknown"));
  fc.assert(
    fc.property(fc.array(spoofed), fc.constantFrom<TrustProxy>(2, ["10.0.0.0/8"]), (sent, trust) => {
      // The first proxy adds the client's address to what it sent, the second the first proxy's.
      const header = [...sent, "203.0.113.7", "10.0.0.2"].join(", ");
      expect(client(trust, "10.0.0.1", header)).toBe("203.0.113.7");
    }),
  );
});

test("the client is always an address", () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(5), (header, hops) => {
      expect(isIP(client(hops, "10.0.0.1", header))).not.toBe(0);
    }),
  );
});

test("every fault of the option is told", () => {
  expect(checkTrustProxy(false)).toEqual([]);
  expect(checkTrustProxy(2)).toEqual([]);
  expect(checkTrustProxy(["10.0.0.0/8", "::1", "fd00::/8", "::ffff:10.0.0.0/104"])).toEqual([]);
  for (const wrong of [true, -1, 1.5, "10.0.0.0/8", null, {}]) expect(checkTrustProxy(wrong)).toHaveLength(1);
  const ranges = ["10.0.0.0/33", "10.0.0/8", "proxy", "10.0.0.0/8/8", "10.0.0.0/", "::1/129", "::ffff:1.1.1.1/95", 7];
  expect(checkTrustProxy(ranges)).toHaveLength(ranges.length);
  expect(checkTrustProxy(["10.0.0.0/33"])[0]).toBe(
    '[0] must be an IP address or a CIDR such as "10.0.0.0/8", got "10.0.0.0/33"',
  );
});
