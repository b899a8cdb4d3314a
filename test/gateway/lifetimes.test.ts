import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

const script = (name: string) => new URL(`../fixtures/${name}`, import.meta.url).pathname;

/** Runs a fixture in a process of its own; resolves when it has ended by itself. */
async function run(name: string, ...args: string[]) {
  const child = spawn(process.execPath, [script(name), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  const [code, signal] = await once(child, "exit");
  return { code, signal, output, errors };
}

describe("a gateway that was stopped", () => {
  test("leaves no socket, timer, thread, port or actor behind: its process ends by itself", async () => {
    const { code, output, errors } = await run("stop-and-count.js");
    expect(errors).toBe("");
    expect(JSON.parse(output)).toEqual({ closed: { reason: "stopped" }, tree: "stopped", resources: [], names: 0 });
    expect(code).toBe(0);
  });

  test("whose tree gave up tells why, and leaves nothing behind either", async () => {
    const { code, output, errors } = await run("stop-and-count.js", "crash");
    expect(errors).toBe("");
    expect(JSON.parse(output)).toMatchObject({
      closed: { reason: "error", error: "max_restarts" },
      tree: "stopped",
      resources: [],
    });
    expect(code).toBe(0);
  });
});

describe("stopping", () => {
  test("lets running calls finish within drainMs, refuses new ones, and closes the sockets with 1012", async () => {
    const gateway = await startTestGateway();
    const client = await connectClient(urlOf(gateway));
    const closed = new Promise<number>((resolve) => {
      client.socket.onClose((event: { code: number }) => resolve(event.code));
    });
    const onWorker = client.request("slow", { ms: 200 });
    const onMain = client.request("wait_on_main");
    await client.request("on_main", { msg: 1 });
    const stopped = gateway.stop({ drainMs: 20_000 });
    // Sent before the client knows that the gateway stops; afterwards it would hold them back.
    const late = client.request("echo", { msg: 1 });
    client.channel.push("cancel", { request_id: "r2" });
    expect((await late).response.error_code).toBe("unavailable");
    expect((await onMain).response.error_code).toBe("cancelled");
    expect((await onWorker).response.result).toBe("slept 200");
    expect(await stopped).toEqual({ reason: "stopped" });
    expect(await closed).toBe(1012);
    await client.close();
  });

  test("answers what still runs after drainMs `unavailable`", async () => {
    const gateway = await startTestGateway();
    const client = await connectClient(urlOf(gateway));
    const call = client.request("wait_on_main");
    const host = gateway.request({ service: "test", requestType: "wait_on_main" });
    await client.request("on_main", { msg: 1 });
    await gateway.stop();
    expect((await call).response.error_code).toBe("unavailable");
    expect((await host).error_code).toBe("unavailable");
    await client.close();
  });

  test("twice waits for the same end; a request afterwards is `unavailable`", async () => {
    const gateway = await startTestGateway();
    const [one, two] = await Promise.all([gateway.stop(), gateway.stop()]);
    expect([one, two, await gateway.closed]).toEqual(Array(3).fill({ reason: "stopped" }));
    expect((await gateway.request({ service: "test", requestType: "echo" })).error_code).toBe("unavailable");
  });

  test("at the end of an `await using` block", async () => {
    let outer: Awaited<ReturnType<typeof startTestGateway>> | undefined;
    {
      await using gateway = await startTestGateway();
      outer = gateway;
    }
    expect(await outer.closed).toEqual({ reason: "stopped" });
  });
});

describe("garbage on one socket", () => {
  test.each([
    ["text that is no JSON", "not json", 1011],
    ["JSON of the wrong shape", '{"a":1}', 1011],
    ["a list that is too short", "[1,2]", 1011],
    ["bytes that are no UTF-8", Buffer.from([0xc3, 0x28]), 1007],
    ["a binary frame of an unknown kind", Buffer.from([9, 9, 9]), 1011],
  ])("%s closes that socket alone", async (_name, data, code) => {
    await using gateway = await startTestGateway();
    const bystander = await connectClient(urlOf(gateway));
    let closes = 0;
    bystander.socket.onClose(() => {
      closes++;
    });
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
    await once(socket, "open");
    const closed = once(socket, "close");
    const frame = Buffer.isBuffer(data) && code === 1007 ? { binary: false } : {};
    socket.send(data, frame);
    expect((await closed)[0]).toBe(code);
    expect((await bystander.request("add", { a: 1, b: 1 })).response.result).toBe(2);
    expect(closes).toBe(0);
    await bystander.close();
  });
});
