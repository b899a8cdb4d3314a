import { type ServiceNodeOptions, startGenApi, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { metrics } from "gen-api/metrics";
import { tracing } from "gen-api/tracing";
import { expect, test } from "vitest";

const startNode = (options: Pick<ServiceNodeOptions, "name" | "tracing">) =>
  startServiceNode({
    logger: false,
    service: "users",
    functions: [],
    cluster: link({ gateways: ["ws://127.0.0.1:1/node"] }),
    ...options,
  });

test("gateways of one process share a name only where no metrics or traces tell them apart by it", async () => {
  await using _first = await startGenApi({ logger: false, name: "one" });
  await using _second = await startGenApi({ logger: false, name: "one" });
  await expect(startGenApi({ logger: false, name: "one", metrics: metrics() })).rejects.toMatchObject({
    code: "invalid_option",
  });
  await using observed = await startGenApi({ logger: false, name: "two", metrics: metrics() });
  await expect(startGenApi({ logger: false, name: "two" })).rejects.toMatchObject({ code: "invalid_option" });
  await observed.stop();
  await using _again = await startGenApi({ logger: false, name: "two" });
});

test("so do service nodes, with each other and with gateways", async () => {
  await using _gateway = await startGenApi({ logger: false, name: "one" });
  await using _first = await startNode({ name: "one" });
  await using _second = await startNode({ name: "one" });
  await expect(startNode({ name: "one", tracing: tracing() })).rejects.toMatchObject({ code: "invalid_option" });
  await using traced = await startNode({ name: "two", tracing: tracing() });
  await expect(startNode({ name: "two", tracing: tracing() })).rejects.toMatchObject({ code: "invalid_option" });
  await expect(startNode({ name: "two" })).rejects.toMatchObject({ code: "invalid_option" });
  await expect(startGenApi({ logger: false, name: "two" })).rejects.toMatchObject({ code: "invalid_option" });
  await traced.stop();
  await using _again = await startNode({ name: "two" });
});
