import { once } from "node:events";
import { type EventName, type Gateway, startGenApi, telemetry } from "gen-api";
import { afterEach, describe, expect, test } from "vitest";
import { urlOf } from "../support/gateway.ts";
import { connectRaw } from "../support/network/raw-client.ts";

const main = {
  service: "s",
  nodes: "local",
  runOn: "main",
  timeout: 5_000,
  mfa: "main.echo",
  argTypes: { msg: "any" },
} as const;
const asked = { service: "s", requestType: "echo", args: { msg: "x" } };

let detach: () => unknown = () => undefined;
afterEach(() => detach());

const start = (): Promise<Gateway> =>
  startGenApi({
    listen: { port: 0 },
    logger: false,
    channels: [{ topic: "api:*", event: "api" }],
    modules: { main: new URL("../fixtures/main-functions.js", import.meta.url) },
    functions: [
      { ...main, requestType: "echo" },
      { ...main, requestType: "on_thread", runOn: "worker" },
      { ...main, requestType: "late", mfa: "main.never", timeout: 300 },
    ],
    rateLimiter: { globalLimits: [{ key: "userId", maxRequests: 1_000_000, windowMs: 60_000 }] },
    workerPool: { threads: 1 },
  });

describe("a gateway that a handler stops in the middle of", () => {
  const events: readonly EventName[] = [
    "connection.open",
    "channel.join",
    "executor.request.start",
    "rate_limiter.check",
    "executor.attempt.start",
    "executor.attempt.stop",
    "executor.request.stop",
    "worker_pool.task.start",
    "worker_pool.task.stop",
    "supervisor.child.exit",
  ];
  test.each(events)("%s ends, and every call that it took has one answer", async (event) => {
    const gateway = await start();
    let stopping: Promise<unknown> | undefined;
    detach = telemetry.attach(event, () => {
      stopping ??= gateway.stop();
    });
    const calls = ["echo", "on_thread", "late"].map((requestType) => gateway.request({ ...asked, requestType }));
    const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`).catch(() => null);
    client?.send(["1", "1", "api:x", "phx_join", {}]);
    for (const response of await Promise.all(calls)) {
      expect([true, "unavailable", "timeout"]).toContain(response.success || response.error_code);
    }
    // Where nothing has ended yet, as no actor has.
    void gateway.stop();
    if (client !== null && client.socket.readyState !== client.socket.CLOSED) await once(client.socket, "close");
    expect(await gateway.closed).toEqual({ reason: "stopped" });
    expect(stopping).toBeDefined();
  });
});
