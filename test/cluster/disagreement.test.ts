import { type Clock, type Gateway, type GatewayOptions, startGenApi } from "gen-api";
import { nats } from "gen-api/nats";
import { expect, test } from "vitest";
import remote from "../fixtures/cluster/service.js";
import { keep, nextEvent } from "../support/cluster.ts";
import { NatsServer } from "../support/nats/nats-server.ts";
import { NodeProcess } from "../support/processes/node-process.ts";
import { until } from "../support/until.ts";

const signingKey = "a key of the gateways alone, long enough";
const hourMs = 3_600_000;

/** The machine's clock, set wrongly. */
const clockSet = (wrongMs: number): Clock => ({
  now: () => performance.now(),
  systemTime: () => Date.now() + wrongMs,
  setTimeout,
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
});

async function startGateway(servers: string, name: string, options: GatewayOptions = {}): Promise<Gateway> {
  return keep(
    await startGenApi({
      logger: false,
      name,
      workerPool: { threads: 1 },
      cluster: nats({ servers, signingKey, announceMs: 200 }),
      heartbeat: { intervalMs: 100, missed: 3 },
      nodeGraceMs: 300,
      ...options,
    }),
  );
}

/** The process of the node `n`, with functions of these names. */
async function startNode(servers: string, names: readonly string[]): Promise<NodeProcess> {
  const node = remote.functions.find(({ requestType }) => requestType === "node");
  const functions = names.map((requestType) => ({ ...node, requestType }));
  return keep(await NodeProcess.start({ name: "n", servers, functions }));
}

/** What each of these comes to: "n", who answers, or the error's code. */
function answersOf(gateway: Gateway, ...names: readonly string[]): Promise<unknown[]> {
  return Promise.all(
    names.map(async (requestType) => {
      const { success, result, error_code } = await gateway.request({ service: "remote", requestType, args: {} });
      return success ? result : error_code;
    }),
  );
}

async function expectAnswers(gateways: readonly Gateway[], answers: Readonly<Record<string, string>>): Promise<void> {
  const expected = Object.values(answers).join();
  for (const gateway of gateways) {
    await until(async () => (await answersOf(gateway, ...Object.keys(answers))).join() === expected);
  }
}

test("gateways whose clocks are an hour apart agree on what a node has, whoever writes it last", async () => {
  const server = keep(await NatsServer.start());
  const early = await startGateway(server.url, "early", { clock: clockSet(-hourMs) });
  const late = await startGateway(server.url, "late", { clock: clockSet(0) });
  const first = await startNode(server.url, ["a", "b"]);
  await expectAnswers([early, late], { a: "n", b: "n", c: "not_found" });
  await first.kill();

  // What the one whose clock is ahead has written, the other writes over, alone.
  await late.stop();
  const second = await startNode(server.url, ["b", "c"]);
  await expectAnswers([early], { a: "not_found", b: "n", c: "n" });
  await second.kill("SIGSTOP");
  const again = await startGateway(server.url, "late", { clock: clockSet(0) });
  await expectAnswers([again], { a: "not_found", b: "unavailable", c: "unavailable" });
  await second.kill("SIGCONT");
  await expectAnswers([early, again], { a: "not_found", b: "n", c: "n" });

  // And takes back.
  await second.stop();
  await expectAnswers([early, again], { a: "not_found", b: "not_found", c: "not_found" });
  const third = await startGateway(server.url, "third", { clock: clockSet(hourMs) });
  await expectAnswers([third], { a: "not_found", b: "not_found", c: "not_found" });
});

test("a node that comes back from an outage with fewer functions has those alone, at each gateway and in the bucket", async () => {
  const server = keep(await NatsServer.start());
  const gateways = [await startGateway(server.url, "g1"), await startGateway(server.url, "g2")];
  const before = await startNode(server.url, ["a", "b"]);
  await expectAnswers(gateways, { a: "n", b: "n" });
  const lost = gateways.map(({ name }) => nextEvent("cluster.lost", ({ metadata }) => metadata.gateway === name));
  await server.signal("SIGTERM");
  await Promise.all(lost);
  await before.kill();
  const node = await startNode(server.url, ["b"]);
  await expectAnswers(gateways, { a: "unavailable", b: "unavailable" });
  await server.restart();
  await expectAnswers(gateways, { a: "not_found", b: "n" });
  await node.kill("SIGSTOP");
  const third = await startGateway(server.url, "g3");
  await expectAnswers([third, ...gateways], { a: "not_found", b: "unavailable" });
  await node.kill("SIGCONT");
  await expectAnswers([third, ...gateways], { a: "not_found", b: "n" });
  expect(third.configCache.count).toBe(1);
});
