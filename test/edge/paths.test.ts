import { describe, expect, test } from "vitest";
import { normalPath, readTarget } from "../../src/core/net/request-target.ts";
import { openGateway as openLink } from "../node/link/open-link.ts";
import { openGateway } from "../socket/open-gateway.ts";
import { statusLine, upgradeRequest } from "../support/network/raw-http.ts";

describe("a path", () => {
  test.each([
    ["/socket//websocket/", "/socket/websocket"],
    ["//socket", "/socket"],
    ["///", "/"],
    ["", "/"],
    ["/a/./b", "/a/./b"],
    ["*", "*"],
  ])("%j is %j without its empty segments", (path, normal) => {
    expect(normalPath(path)).toBe(normal);
  });

  test.each([
    ["/a//b?c=//d?e", { authority: null, path: "/a/b", query: "c=//d?e" }],
    ["http://host:1/a?b", { authority: "host:1", path: "/a", query: "b" }],
    ["HTTP://host", { authority: "host", path: "/", query: "" }],
    ["http://host?b", { authority: "host", path: "/", query: "b" }],
    ["//evil/a", { authority: null, path: "/evil/a", query: "" }],
    [undefined, { authority: null, path: "/", query: "" }],
  ])("of the target %j is read with its query", (target, expected) => {
    expect(readTarget(target)).toEqual(expected);
  });
});

const clientPaths = [
  ["/socket", "/socket//websocket"],
  ["/socket", "/socket/websocket/"],
  ["/socket", "//socket/websocket"],
  ["/socket", "http://gateway.example/socket/websocket"],
  ["/", "/websocket"],
  ["/", "//websocket"],
  ["/socket/", "/socket/websocket"],
  ["//a//b", "/a/b/websocket"],
] as const;

test.each(clientPaths)("a gateway with the path %j takes clients at %s", async (path, target) => {
  await using gateway = await openGateway({ path });
  const port = Number(new URL(gateway.url).port);
  expect(await statusLine(port, upgradeRequest(`${target}?vsn=2.0.0`))).toMatch(/ 101 /);
  expect(await statusLine(port, upgradeRequest(`${target}x`))).toMatch(/ 404 /);
  expect(await statusLine(port, `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/ 400 /);
  // Clients append to its URL.
  await gateway.connect();
});

test.each([
  ["/node", "//node/"],
  ["/node/", "/node"],
  ["//node", "http://gateway.example/node"],
])("a link with the path %j takes nodes at %s", async (path, target) => {
  await using gateway = await openLink({ path });
  const request = upgradeRequest(target, "Sec-WebSocket-Protocol: gen-api.node.1\r\n");
  expect(await statusLine(gateway.port, request)).toMatch(/ 101 /);
});
