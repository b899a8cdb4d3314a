import { describe, expect, test } from "vitest";
import { networkOf } from "../../src/core/net/ip-address.ts";
import { openGateway } from "../socket/open-gateway.ts";

describe("a limit for each address", () => {
  test("counts the addresses of one IPv6 network as one", async () => {
    await using gateway = await openGateway({ maxConnectionsPerAddress: 5, trustProxy: 1 });
    const connect = (address: string) => gateway.connect("vsn=2.0.0", { headers: { "x-forwarded-for": address } });
    for (let n = 1; n <= 5; n++) await connect(`2001:db8:0:1::${n}`);
    await expect(connect("2001:db8:0:1:ffff::9")).rejects.toMatchObject({ status: 429 });
    await expect(connect("2001:db8::1:0:0:0:7")).rejects.toMatchObject({ status: 429 });
    await connect("2001:db8:0:2::1");
    await connect("::ffff:10.0.0.1");
    await connect("10.0.0.2");
    const [first] = gateway.clients;
    await first?.close();
    await expect
      .poll(() =>
        connect("2001:db8:0:1::77").then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  });

  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::", "fe80:0:0:0::/64"],
  ])("takes %s for %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
