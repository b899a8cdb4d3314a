import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TcpBalancer } from "../support/network/tcp-balancer.ts";

interface Report {
  readonly calls: readonly {
    readonly id: string;
    readonly responses: readonly { success: boolean; error_code?: string; can_retry: boolean }[];
    readonly replied: "ok" | "error" | "timeout";
    readonly ms: number;
  }[];
  readonly streamEnds: readonly { error_code?: string; can_retry: boolean }[];
  readonly chunks: number;
}

const clients = 300;
const drainMs = 6_000;
const fixture = (name: string) => new URL(`../fixtures/rolling-restart/${name}.js`, import.meta.url);

test("a rolling restart of two gateways under 300 calling clients loses no request and answers none twice", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rolling-restart-"));
  const file = join(folder, "ran");
  const env = { ...process.env, RAN_FILE: file };
  const processes: ChildProcess[] = [];
  const run = (name: string, ...args: (string | number)[]) => {
    const child = fork(fixture(name), args.map(String), { env, execArgv: [] });
    processes.push(child);
    return child;
  };
  const startGateway = async (port: number) => {
    const child = run("gateway", port, drainMs);
    const [message] = (await once(child, "message")) as [{ port: number }];
    return { child, port: message.port };
  };
  try {
    const gateways = [await startGateway(0), await startGateway(0)];
    await using balancer = await TcpBalancer.start(gateways.map(({ port }) => port));
    const calling = run("clients", `ws://127.0.0.1:${balancer.port}/socket`, clients, 200);
    await once(calling, "message");
    // The balancer does not know: whom a gateway that stops refuses, it sends to the other.
    for (const { child, port } of gateways) {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      expect(await exited).toEqual([0, null]);
      await startGateway(port);
    }
    const reported = once(calling, "message");
    calling.send("stop");
    const [{ calls, streamEnds, chunks }] = (await reported) as [Report];

    const ran = readFileSync(file, "utf8").trim().split("\n");
    const refused = calls.filter(({ responses }) => responses[0]?.error_code === "unavailable");
    const times = calls.map(({ ms }) => ms).sort((one, other) => one - other);
    const slowMs = times[Math.floor(times.length * 0.95)] ?? 0;
    console.log(`${calls.length} calls, ${refused.length} of them refused, 95 % within ${Math.round(slowMs)} ms`);
    expect(calls.length).toBeGreaterThan(clients * 10);
    // One final Response each, and its reply.
    const wrong = calls.filter(({ responses, replied }) => responses.length !== 1 || replied !== "ok");
    expect([wrong.length, wrong.slice(0, 5)]).toEqual([0, []]);
    // A success, or refused as what can be sent again.
    const failed = calls.filter(({ responses }) => !responses[0]?.success);
    expect(failed.filter(({ responses: [first] }) => first?.error_code !== "unavailable" || !first.can_retry)).toEqual(
      [],
    );
    // Every call ran once, but for those that were refused.
    expect(new Set(ran).size).toBe(ran.length);
    expect(ran.length).toBe(calls.length - refused.length);
    // Few are refused: those that were on their way when their client had not heard of the stop.
    expect(refused.length).toBeLessThan(calls.length / 20);
    // The endless stream went on for as long as it might, and held up nobody but itself.
    expect(streamEnds.map(({ error_code, can_retry }) => [error_code, can_retry])).toContainEqual([
      "unavailable",
      true,
    ]);
    expect(chunks).toBeGreaterThan(drainMs / 200);
    expect(slowMs).toBeLessThan(drainMs * 0.75);
  } finally {
    for (const child of processes) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});
