import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type ActorRef,
  createRegistry,
  type Down,
  demonitor,
  fromDynamicSupervisor,
  fromResource,
  isAlive,
  kill,
  type Monitor,
  monitor,
  type SupervisorRef,
  send,
  startChild,
  startSystem,
  terminateChild,
} from "../../src/otp.ts";
import { collectGarbage } from "../support/heap.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

const worker = fromResource(({ finish }) => ({
  close: () => undefined,
  receive: ({ type }) => {
    if (type === "finish") finish();
    if (type === "crash") throw new Error("crashed");
  },
}));

const at = fc.nat(9);
const key = fc.constantFrom("a", "b", "c");
const command = fc.oneof(
  fc.record({ type: fc.constant("start" as const) }),
  fc.record({ type: fc.constantFrom("kill" as const, "crash" as const, "finish" as const, "terminate" as const), at }),
  fc.record({ type: fc.constantFrom("monitor" as const, "demonitor" as const), at }),
  fc.record({ type: fc.constantFrom("register" as const, "unregister" as const), at, key }),
);

it("no DOWN is lost or doubled, and no registry keeps an actor that has ended, whatever is killed when", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), fc.boolean(), async (commands, isUnique) => {
      const children = [{ id: "workers", name: "workers", logic: fromDynamicSupervisor() }];
      const system = startSystem({ name: "root", clock: new SimulatedClock(), children });
      const workers = system.whereis("workers") as SupervisorRef;
      const registry = createRegistry<string, number>({ keys: isUnique ? "unique" : "duplicate" });
      const refs: ActorRef[] = [];
      const monitors: { watch: Monitor; ref: ActorRef; downs: Down["reason"][]; isOff: boolean; wasDead: boolean }[] =
        [];
      const registered = new Map<string, Set<ActorRef>>();
      const reasons = new Map<ActorRef, string>();
      const end = (ref: ActorRef, reason: string) => {
        if (isAlive(ref)) reasons.set(ref, reason);
      };

      for (const each of commands) {
        if (each.type === "start") {
          refs.push(await startChild(workers, { id: `w${refs.length}`, logic: worker, restart: "temporary" }));
          continue;
        }
        const ref = refs[each.at % Math.max(1, refs.length)];
        if (ref === undefined) continue;
        switch (each.type) {
          case "kill":
            end(ref, "killed");
            kill(ref);
            break;
          case "crash":
            end(ref, "crashed");
            send(ref, { type: "crash" });
            break;
          case "finish":
            end(ref, "normal");
            send(ref, { type: "finish" });
            break;
          case "terminate":
            end(ref, "shutdown");
            await terminateChild(workers, ref.id).catch(({ code }) => expect(code).toBe("not_found"));
            break;
          case "monitor": {
            const downs: Down["reason"][] = [];
            const wasDead = !isAlive(ref);
            monitors.push({
              watch: monitor(ref, ({ reason }) => downs.push(reason)),
              ref,
              downs,
              isOff: false,
              wasDead,
            });
            break;
          }
          case "demonitor": {
            const found = monitors[each.at % Math.max(1, monitors.length)];
            if (found === undefined || found.downs.length > 0) break;
            found.isOff = true;
            demonitor(found.watch);
            break;
          }
          case "register": {
            const holders = registered.get(each.key) ?? new Set();
            const living = [...holders].filter(isAlive);
            const isTaken = isUnique ? living.length > 0 : living.includes(ref);
            if (isAlive(ref)) {
              const register = () => registry.register(each.key, ref, refs.indexOf(ref));
              if (isTaken) expect(register).toThrow("is taken by the actor");
              else register();
              registered.set(each.key, holders.add(isTaken ? (living[0] as ActorRef) : ref));
            }
            break;
          }
          case "unregister":
            registry.unregister(each.key, ref);
            registered.get(each.key)?.delete(ref);
        }
        for (const [name, holders] of registered) {
          expect(new Set(registry.lookup(name).map((entry) => entry.ref))).toEqual(
            new Set([...holders].filter(isAlive)),
          );
        }
      }

      await settled();
      for (const { ref, downs, isOff, wasDead } of monitors) {
        if (isOff) expect(downs).toEqual([]);
        else if (isAlive(ref)) expect(downs).toEqual([]);
        else {
          const told = downs.map((reason) => (typeof reason === "object" ? "crashed" : reason));
          expect(told).toEqual([wasDead ? "noproc" : reasons.get(ref)]);
        }
      }
      await system.shutdown();
      await settled();
      expect(registry.count()).toBe(0);
      for (const { downs, isOff } of monitors) expect(downs).toHaveLength(isOff ? 0 : 1);
    }),
    { numRuns: 200 },
  );
});

it("100 000 actors that come and go, monitored and registered, leave nothing behind", async () => {
  const system = startSystem({
    name: "root",
    children: [{ id: "workers", name: "workers", logic: fromDynamicSupervisor() }],
  });
  const workers = system.whereis("workers");
  const registry = createRegistry({ keys: "unique" });
  let downs = 0;
  const round = async (count: number) => {
    for (let each = 0; each < count; each++) {
      const ref = await startChild(workers, { id: `w_${each}`, logic: worker, restart: "temporary" });
      monitor(ref, () => downs++);
      registry.register(`key_${each}`, ref);
      send(ref, { type: "finish" });
    }
  };
  const heap = async () => {
    await settled();
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  await round(20_000);
  const before = await heap();
  await round(80_000);
  const grown = (await heap()) - before;
  expect(downs).toBe(100_000);
  expect(registry.count()).toBe(0);
  // 26 bytes for each of the 80 000: any that was kept would take hundreds.
  expect(grown).toBeLessThan(2 * 1024 * 1024);
  await system.shutdown();
});
