import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { NatsServer } from "../support/nats-server.ts";

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
