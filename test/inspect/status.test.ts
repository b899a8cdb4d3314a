import { expect, test } from "vitest";
import type { InspectedEvent, Inspection } from "../../src/actor/inspection/inspection.ts";
import { fromResource } from "../../src/actor/resource.ts";
import { fromDynamicSupervisor } from "../../src/actor/supervisor/dynamic-supervisor.ts";
import { type SupervisorRef, startChild } from "../../src/actor/supervisor/supervisor-requests.ts";
import { startSystem } from "../../src/actor/system.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

/** A system with an actor whose status is what the test says, and a crowd of actors beside it. */
async function startDoor(filter: NonNullable<Inspection["filter"]> = () => true, crowdSize = 0) {
  const clock = new SimulatedClock();
  const door = { status: { people: 0 } as object, looks: 0 };
  const told: unknown[] = [];
  const observer = (event: InspectedEvent) => {
    if (event.type === "@xstate.snapshot" && event.event.type === "actor.status") {
      told.push([event.actorRef.id, event.snapshot.context]);
    }
  };
  const formatStatus = () => {
    door.looks++;
    return { ...door.status };
  };
  const doorLogic = fromResource(() => ({ close: () => undefined, formatStatus }));
  const children = [
    { id: "door", logic: doorLogic },
    { id: "crowd", name: "crowd", logic: fromDynamicSupervisor() },
  ];
  const system = startSystem({ name: "root", clock, children });
  let changes = 0;
  const restless = fromResource(() => ({ close: () => undefined, formatStatus: () => ({ change: ++changes }) }));
  const crowd = system.whereis<SupervisorRef>("crowd");
  for (let n = 0; n < crowdSize; n++) {
    await startChild(crowd, { id: `c${n}`, logic: restless, restart: "temporary" });
  }
  const detach = system.inspect({ observer, filter });
  return { clock, door, told, detach, system };
}

test("what an actor says of itself is told when it has changed without an event, at most once a second", async () => {
  const { clock, door, told, system } = await startDoor();
  clock.advance(1_000);
  told.length = 0;
  for (let people = 1; people <= 100; people++) {
    door.status = { people };
    clock.advance(25);
  }
  expect(told).toEqual([
    ["door", { people: 40 }],
    ["door", { people: 80 }],
  ]);
  clock.advance(10_000);
  expect(told).toHaveLength(3);
  await system.shutdown();
  expect(clock.pending).toBe(0);
});

test("nobody asks an actor what it says of itself while nobody watches", async () => {
  const { clock, door, detach, system } = await startDoor();
  detach();
  const { looks } = door;
  clock.advance(60_000);
  expect(door.looks).toBe(looks);
  expect(clock.pending).toBe(0);
  await system.shutdown();
});

test("what a filter leaves out is not even asked for", async () => {
  const { clock, door, system } = await startDoor((_actor, _type, event) => event !== "actor.status");
  const { looks } = door;
  clock.advance(5_000);
  expect(door.looks).toBe(looks);
  await system.shutdown();
});

test("of a crowd some are looked at each second, all of them in turn, and those near the root always", async () => {
  const { clock, door, told, system } = await startDoor(undefined, 2_000);
  told.length = 0;
  for (let second = 1; second <= 5; second++) {
    door.status = { second };
    clock.advance(1_000);
    expect(told.length).toBeLessThanOrEqual(501 * second);
    expect(told).toContainEqual(["door", { second }]);
  }
  expect(new Set(told.map((entry) => (entry as [string])[0])).size).toBeGreaterThan(1_990);
  await system.shutdown();
});

test("an observer that was there from the start learns when the pools are ready, and who is connected", async () => {
  const contexts = new Map<string, Readonly<Record<string, unknown>>>();
  const waiting = new Set<() => void>();
  const observer = (event: InspectedEvent) => {
    if (event.type !== "@xstate.snapshot") return;
    contexts.set(event.actorRef.id, event.snapshot.context);
    for (const look of waiting) look();
  };
  const says = (id: string, matches: (context: Readonly<Record<string, unknown>>) => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!matches(contexts.get(id) ?? {})) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  await using gateway = await startTestGateway({ inspect: observer });
  await using client = await connectClient(urlOf(gateway));
  await client.request("add", { a: 1, b: 2 });
  await says("async_pool", ({ readyThreads }) => readyThreads === 2);
  await says("listener", ({ url, connections }) => url === urlOf(gateway) && connections === 1);
  await client.close();
  await says("listener", ({ connections }) => connections === 0);
});
