import { once } from "node:events";
import { connect } from "node:net";
import { startGenApi } from "gen-api";
import { link } from "gen-api/link";
import { expect, test } from "vitest";
import { keep } from "../support/cluster.ts";

const token = "a-token-for-tests-only";

/** Sends the same request this often at once, and resolves with what came until the socket closed. */
async function answers(port: number, path: string, times: number, more = ""): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  let text = "";
  socket.on("data", (data) => {
    text += data;
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${more}`;
  socket.write(`${`${request}\r\n`.repeat(times - 1)}${request}Connection: close\r\n\r\n`);
  await closed;
  return text;
}

test("a socket on which many requests come at once is closed, on each port; a few are answered", async () => {
  const gateway = keep(
    await startGenApi({
      listen: { port: 0 },
      admin: { listen: "127.0.0.1:0", token },
      cluster: link({ listen: { host: "127.0.0.1", port: 0 } }),
      logger: false,
    }),
  );
  const authorization = `Authorization: Bearer ${token}\r\n`;
  const { port } = gateway.address as { port: number };
  const { port: adminPort } = gateway.adminAddress as { port: number };
  const count = (text: string) => text.split("HTTP/1.1 ").length - 1;
  expect(count(await answers(port, "/healthz", 16))).toBe(16);
  expect(count(await answers(port, "/healthz", 2_000))).toBeLessThanOrEqual(16);
  expect(count(await answers(adminPort, "/health", 2_000, authorization))).toBeLessThanOrEqual(16);
  expect(count(await answers(port, "/healthz", 1))).toBe(1);
});
