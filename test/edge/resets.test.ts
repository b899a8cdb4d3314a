import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { statusLine, upgradeRequest } from "../support/network/raw-http.ts";

type Ports = Record<"own" | "mounted" | "admin" | "link", number>;

let gateways: ChildProcess;
let ports: Ports;

beforeAll(async () => {
  const file = new URL("../fixtures/edge-gateway.js", import.meta.url).pathname;
  gateways = fork(file, { stdio: ["ignore", "inherit", "pipe", "ipc"], execArgv: [] });
  [ports] = (await once(gateways, "message")) as [Ports];
});

afterAll(() => gateways.kill());

const requests = {
  "an upgrade for a path that nobody has": "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
  "a WebSocket for a path that nobody has": upgradeRequest("/nothing"),
  "a WebSocket that is let in": upgradeRequest("/socket/websocket?vsn=2.0.0"),
  "a WebSocket that is let in later": upgradeRequest("/socket/websocket?vsn=2.0.0&slow=1"),
  "a WebSocket that is refused": upgradeRequest("/socket/websocket?vsn=9.9.9"),
  "a broken WebSocket": upgradeRequest("/socket/websocket").replace("Key", "Koy"),
  "a service node": upgradeRequest("/node", "Sec-WebSocket-Protocol: gen-api.node.1\r\n"),
  "no service node": upgradeRequest("/node"),
  "a plain request": "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  "many requests, and an upgrade behind them": `${"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20)}${upgradeRequest("/")}`,
  "half a request": "GET /healthz HTTP/1.1\r\nHo",
  "no HTTP": "\u0016\u0003\u0001\u0002 nonsense\r\n\r\n",
  CONNECT: "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
};

/** Sends the request and resets the connection: at once, after some turns of the loop, or after some milliseconds. */
function sendAndReset(port: number, text: string, attempt: number): Promise<unknown> {
  const socket = connect(port, "127.0.0.1", () =>
    socket.write(text, () => {
      const reset = () => socket.resetAndDestroy();
      if (attempt % 4 === 0) reset();
      else if (attempt % 4 === 1) setImmediate(() => setImmediate(reset));
      else setTimeout(reset, (attempt % 40) + 1);
    }),
  );
  socket.on("error", () => socket.destroy()).resume();
  // The gateway may be first with its reset, which is an error here.
  return new Promise((resolve) => socket.once("close", resolve));
}

describe.each(["own", "mounted", "admin", "link"] as const)(
  "resets at any moment end nothing on the port %s:",
  (at) => {
    test.each(Object.entries(requests))("%s", async (_what, text) => {
      for (let round = 0; round < 4; round++) {
        await Promise.all(Array.from({ length: 80 }, (_, n) => sendAndReset(ports[at], text, round * 80 + n)));
      }
      expect(gateways.exitCode).toBeNull();
      expect(await statusLine(ports.own, upgradeRequest("/socket/websocket?vsn=2.0.0"))).toMatch(/ 101 /);
      expect(await statusLine(ports.mounted, upgradeRequest("/socket/websocket?vsn=2.0.0"))).toMatch(/ 101 /);
    });
  },
);

test("one reset a while after an upgrade that nobody takes ends nothing on a host's server", async () => {
  const socket = connect(ports.mounted, "127.0.0.1", () =>
    socket.write(requests["a WebSocket for a path that nobody has"]),
  );
  socket.on("error", () => socket.destroy()).resume();
  setTimeout(() => socket.resetAndDestroy(), 100);
  await new Promise((resolve) => socket.once("close", resolve));
  expect(await statusLine(ports.mounted, upgradeRequest("/socket/websocket?vsn=2.0.0"))).toMatch(/ 101 /);
});
