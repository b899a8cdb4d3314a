import { spawn } from "node:child_process";
import { once } from "node:events";
import { startGenApi } from "gen-api";
import { link } from "gen-api/link";
import { expect, test } from "vitest";
import { NatsServer } from "../support/nats/nats-server.ts";

const script = new URL("../fixtures/cluster/stop-and-count.js", import.meta.url).pathname;

test.each([
  ["link", "gateway"],
  ["link", "node"],
  ["nats", "gateway"],
  ["nats", "node"],
])("over %s, the %s stopped first: nothing is left behind, the process ends by itself", async (how, first) => {
  await using server = how === "nats" ? await NatsServer.start() : undefined;
  const child = spawn(process.execPath, [script, how, server?.url ?? "", first], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  const [code] = await once(child, "exit");
  expect(errors).toBe("");
  expect(JSON.parse(output)).toEqual({
    closed: ["stopped", "stopped"],
    resources: [],
    trees: ["stopped", "stopped"],
  });
  expect(code).toBe(0);
});

test("whoever waits for a node or a service of a gateway that stops is told so, and who asks afterwards too", async () => {
  const gateway = await startGenApi({ logger: false, listen: { port: 0 }, cluster: link(), expectServices: ["users"] });
  const waiting = [gateway.nodes.whenUp("a"), gateway.nodes.servicesReady()];
  const told = Promise.allSettled(waiting);
  await gateway.stop();
  const stopped = { status: "rejected", reason: { code: "stopped" } };
  expect(await told).toMatchObject([stopped, stopped]);
  await expect(gateway.nodes.whenUp("a")).rejects.toMatchObject({ code: "stopped" });
  await expect(gateway.nodes.servicesReady()).rejects.toMatchObject({ code: "stopped" });
});
