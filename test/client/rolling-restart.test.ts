import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { TcpBalancer } from "../support/network/tcp-balancer.ts";
import { openClient } from "./open-client.ts";

const drainMs = 3_000;
const fixture = new URL("../fixtures/rolling-restart/gateway.js", import.meta.url);

test("a rolling restart of two gateways under 100 calling clients: every call is answered, and runs once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rolling-restart-"));
  const ranFile = join(folder, "ran");
  const processes: ChildProcess[] = [];
  const startGateway = async (port: number) => {
    const env = { ...process.env, RAN_FILE: ranFile };
    const child = fork(fixture, [String(port), String(drainMs)], { env, execArgv: [] });
    processes.push(child);
    const [message] = (await once(child, "message")) as [{ port: number }];
    return { child, port: message.port };
  };
  try {
    const gateways = [await startGateway(0), await startGateway(0)];
    await using balancer = await TcpBalancer.start(gateways.map(({ port }) => port));
    let isStopping = false;
    let calls = 0;
    let refused = 0;
    const failures: unknown[] = [];
    const callWithoutPause = async () => {
      using client = openClient(`ws://127.0.0.1:${balancer.port}/socket`);
      while (!isStopping) {
        await sleep(100 + Math.random() * 200);
        calls++;
        const call = () => client.call("rolling", "work");
        // What a gateway that stops refuses is safe to send again.
        await call()
          .catch(({ code }) => {
            if (code !== "unavailable") throw code;
            refused++;
            return client.call("rolling", "work", {}, { retry: { attempts: 10 } });
          })
          .catch((error: unknown) => failures.push(error));
      }
    };
    const calling = Array.from({ length: 100 }, callWithoutPause);
    for (const { child, port } of gateways) {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      expect(await exited).toEqual([0, null]);
      await startGateway(port);
    }
    isStopping = true;
    await Promise.all(calling);
    const ran = readFileSync(ranFile, "utf8").trim().split("\n");
    console.log(`${calls} calls, ${refused} of them refused and sent again`);
    expect(calls).toBeGreaterThan(500);
    expect(failures).toEqual([]);
    expect(new Set(ran).size).toBe(ran.length);
    expect(ran.length).toBe(calls);
    expect(refused).toBeLessThan(calls / 20);
  } finally {
    for (const child of processes) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});
