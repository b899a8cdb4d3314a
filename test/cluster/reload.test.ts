import type { FunConfigInput } from "gen-api";
import { expect, test } from "vitest";
import { connect, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { LivingThreads, VersionedModule } from "../support/versioned-module.ts";

const shared = { service: "users", nodes: "local", timeout: 5_000 } as const;
const functions: FunConfigInput[] = [
  { ...shared, requestType: "version", mfa: "m.version" },
  { ...shared, requestType: "later", mfa: "m.later" },
  { ...shared, requestType: "on_main", mfa: "m.version", runOn: "main" },
  { ...shared, requestType: "versions", mfa: "m.versions", responseType: "stream", timeout: "infinity" },
];

test("no call at a service node fails while a module is reloaded twenty times, once with code that cannot be imported", async () => {
  using module = new VersionedModule();
  const gateway = await startGateway();
  await until(() => gateway.diagnostics.pools().every(({ threads, readyThreads }) => threads === readyThreads));
  using threads = new LivingThreads();
  const node = await startNode([gateway], { name: "n1", functions, modules: { m: module.url } });
  await node.connected();
  const client = await connect(urlOf(gateway), "users");
  const ask = async (requestType: string) => (await client.request(requestType)).response.result;
  const stream = gateway.stream<number>({ service: "users", requestType: "versions" });
  expect((await stream.next()).value).toBe(0);
  const failed: unknown[] = [];
  const seen = new Set<unknown>();
  let calls = 0;
  let isOver = false;
  const calling = ["version", "version", "later", "on_main"].map(async (requestType) => {
    while (!isOver) {
      const { response } = await client.request(requestType);
      calls++;
      if (response.success) seen.add(response.result);
      else failed.push(response);
    }
  });
  for (let version = 1; version <= 20; version++) {
    const callsBefore = calls;
    // Each leaves one version of streams at most.
    if (version === 2) await stream.return();
    if (version === 10) {
      module.writeSource("export const version = ;");
      await expect(node.reload("users")).rejects.toMatchObject({ code: "module_unreadable" });
      expect([await ask("version"), await ask("on_main")]).toEqual([9, 9]);
    } else {
      module.write(version);
      await node.reload("users");
      expect([await ask("version"), await ask("on_main")]).toEqual([version, version]);
    }
    await until(() => calls > callsBefore + 20);
  }
  isOver = true;
  await Promise.all(calling);
  expect(failed).toEqual([]);
  expect(seen.size).toBe(20);
  await until(() => threads.count === 2);
});

test("a node refuses to reload what is not its own, and anything once it stops", async () => {
  using module = new VersionedModule();
  const gateway = await startGateway();
  const node = await startNode([gateway], { name: "n1", functions, modules: { m: module.url } });
  await expect(node.reload("orders")).rejects.toMatchObject({
    code: "not_found",
    message: 'The node n1 runs no functions of "orders"; it can reload "users"',
  });
  await node.connected();
  await expect(gateway.reload("users")).rejects.toMatchObject({
    code: "invalid_option",
    message: expect.stringContaining('run on the service nodes "n1": call node.reload("users") there'),
  });
  await node.stop();
  await expect(node.reload("users")).rejects.toMatchObject({ code: "stopped" });
});
