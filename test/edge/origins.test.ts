import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { type AllowedOrigins, checkAllowedOrigins, originRule } from "../../src/socket/handshake/origin.ts";
import { listenTo, openGateway } from "../socket/open-gateway.ts";
import { statusLine, upgradeRequest } from "../support/network/raw-http.ts";

/** Whether a page of this origin may connect, by the head of its request. */
function allows(
  allowed: AllowedOrigins,
  origin: string | readonly string[],
  host = "gateway.example",
  url = "/",
): boolean {
  const origins = typeof origin === "string" ? [origin] : origin;
  const request = { headers: { origin: origins[0], host }, headersDistinct: { origin: origins }, url };
  return originRule(allowed)(request as unknown as IncomingMessage);
}

describe("a listed origin lets in", () => {
  test.each([
    ["chrome-extension://mnkmabcd", "chrome-extension://mnkmabcd"],
    ["moz-extension://1b2c-3d", "moz-extension://1b2c-3d"],
    ["vscode-webview://0a1b2c", "vscode-webview://0a1b2c"],
    ["web+app.1://a", "web+app.1://a"],
    ["capacitor://localhost", "capacitor://localhost"],
    ["https://münchen.example", "https://xn--mnchen-3ya.example"],
    ["https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"],
    ["//*.münchen.example", "https://a.xn--mnchen-3ya.example"],
    ["HTTPS://APP.Example", "https://app.example"],
    ["https://app.example:443", "https://app.example"],
    ["//app.example:443", "https://app.example"],
    ["//app.example:80", "http://app.example"],
    ["https://*.app.example", "https://b.a.app.example"],
    ["http://[::1]:5173", "http://[::1]:5173"],
    ["//app.example", "chrome-extension://app.example"],
    ["null", "null"],
    ["file://", "file://"],
  ])("%j: the page %j", (entry, origin) => {
    expect(allows([entry], origin)).toBe(true);
  });

  test.each([
    ["chrome-extension://mnkm", "chrome-extension://mnkma"],
    ["chrome-extension://mnkm", "moz-extension://mnkm"],
    ["https://app.example", "https://app.example.evil.example"],
    ["https://app.example", "https://evil.example/https://app.example"],
    ["https://app.example", "https://evil.example@app.example"],
    ["https://app.example", "https://app.example/path"],
    ["https://app.example", "https://app.example:444"],
    ["https://app.example", "null"],
    ["//app.example", "//app.example"],
    ["//*.app.example", "https://*.app.example"],
    ["//*.app.example", "https://evilapp.example"],
    ["null", "file://"],
    ["null", "https://null"],
    ["file://", "null"],
    ["file://", "file://host"],
    ["//null", "null"],
  ])("%j: not the page %j", (entry, origin) => {
    expect(allows([entry], origin)).toBe(false);
  });
});

test.each([
  "app.example",
  "https://",
  "https://a.example/",
  "https://a.example/path",
  "https://a.example?b",
  "https://user@a.example",
  "https://a.example:",
  "https://a.example:x",
  "https://a.example:70000",
  "https://a b",
  "//",
  "//*",
  "//*.",
  "//*.127.0.0.1",
  "//a.*.example",
  "*",
  "",
  "wss://a.example",
  "1a://x",
  " https://a.example",
  "x https://a.example",
  "x//a.example",
  "https://a.example ",
  7,
  null,
])("%j is refused as an entry of the list, which says what is allowed", (entry) => {
  expect(checkAllowedOrigins(["https://ok.example", entry])).toEqual([
    expect.stringMatching(/^\[1\] must be an origin such as "https:\/\/a.example", .* got /),
  ]);
});

describe('"same_host"', () => {
  test("compares hosts, whatever the spelling", () => {
    for (const [origin, host] of [
      ["http://gateway.example", "gateway.example"],
      ["https://gateway.example", "GATEWAY.example:443"],
      ["http://gateway.example:4000", "gateway.example:4000"],
      ["http://[::1]:4000", "[0:0::1]:4000"],
    ] as const) {
      expect([origin, allows("same_host", origin, host)]).toEqual([origin, true]);
    }
    for (const [origin, host] of [
      ["http://gateway.example:4000", "gateway.example"],
      ["http://gateway.example", "evil@gateway.example"],
      ["http://gateway.example", "gateway.example/evil"],
      ["http://evil.example", "gateway.example"],
      ["null", "null"],
      ["file://", ""],
    ] as const) {
      expect([origin, host, allows("same_host", origin, host)]).toEqual([origin, host, false]);
    }
  });

  test("goes by the target where that is a whole URL, and by one Origin only", () => {
    expect(allows("same_host", "http://a.example", "b.example", "http://a.example/socket")).toBe(true);
    expect(allows("same_host", "http://b.example", "b.example", "http://a.example/socket")).toBe(false);
    expect(allows("same_host", ["http://b.example", "http://evil.example"], "b.example")).toBe(false);
  });
});

describe("a function decides", () => {
  test("with the origin and the request at hand, and true lets in", async () => {
    const seen: unknown[] = [];
    const allowedOrigins = (origin: string, { headers }: IncomingMessage) => {
      seen.push([origin, headers["x-tenant"]]);
      return origin === "https://a.example";
    };
    await using gateway = await openGateway({ allowedOrigins });
    const headers = { "x-tenant": "7" };
    await gateway.connect("vsn=2.0.0", { origin: "https://a.example", headers });
    await expect(gateway.connect("vsn=2.0.0", { origin: "https://b.example" })).rejects.toMatchObject({ status: 403 });
    expect(seen).toEqual([
      ["https://a.example", "7"],
      ["https://b.example", undefined],
    ]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no database");
      },
    ],
    [
      "throws what cannot be looked at",
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        throw proxy;
      },
    ],
    ["returns a promise of true", async () => true],
    ["returns a promise that rejects", () => Promise.reject(new Error("no database"))],
    ["returns what is merely truthy", () => "yes"],
    ["returns nothing", () => undefined],
    [
      "returns a thenable that throws",
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: that is the point
        get then() {
          throw new Error("no");
        },
      }),
    ],
  ])("and where it %s the page is refused, and telemetry says why", async (_what, rule) => {
    using refusals = listenTo("connection.refuse");
    await using gateway = await openGateway({ allowedOrigins: rule as unknown as () => boolean });
    const port = Number(new URL(gateway.url).port);
    const request = upgradeRequest("/socket/websocket?vsn=2.0.0", "Origin: https://a.example\r\n");
    expect(await statusLine(port, request)).toMatch(/ 403 /);
    expect(refusals.messages[0]?.metadata).toMatchObject({ status: 403, reason: "allowedOrigins gave no answer" });
    expect(refusals.messages[0]?.metadata.error).toBeInstanceOf(Error);
    // Programs are not asked for.
    await gateway.connect();
  });
});
