import fc from "fast-check";
import { expect, test } from "vitest";
import type { AnyActorRef } from "xstate";
import { cast } from "../../src/actor/gen-server/gen-server.ts";
import { kill } from "../../src/actor/lifecycle/exit.ts";
import type { FunConfigInput } from "../../src/config/fun-config.ts";
import { fun, idle, openReceiver } from "./open-receiver.ts";

const nodes = ["a", "b", "c"] as const;
type Node = (typeof nodes)[number];

/** A function's name and content: few of both, so that nodes have the same ones and different ones. */
interface Content {
  readonly type: string;
  readonly version: string | null;
  readonly timeout: number;
}

const content: fc.Arbitrary<Content> = fc.record({
  type: fc.constantFrom("get", "put", "del"),
  version: fc.constantFrom(null, "1.0.0"),
  timeout: fc.constantFrom(1_000, 2_000),
});
const set = fc.uniqueArray(content, { maxLength: 5, selector: ({ type, version }) => `${type} ${version}` });
const node = fc.constantFrom(...nodes);
const service = fc.constantFrom("users", "orders");

/** The naive model: what each node pushed last, in the order of the pushes, by service. */
class Model {
  readonly #sets = new Map<string, { readonly service: string; readonly node: Node; readonly functions: Content[] }>();
  readonly #host = new Map<string, number>();

  push(service: string, node: Node, functions: Content[]): void {
    const key = `${service} ${node}`;
    this.#sets.delete(key);
    const allowed = functions.filter(({ type, version }) => !this.#host.has(`${service} ${type} ${version}`));
    this.#sets.set(key, { service, node, functions: allowed });
  }

  forget(node: Node): void {
    for (const [key, set] of this.#sets) if (set.node === node) this.#sets.delete(key);
  }

  host({ type, version, timeout }: Content): void {
    this.#host.set(`users ${type} ${version}`, timeout);
  }

  table(): Record<string, unknown> {
    const table: Record<string, { timeout: number; nodes: unknown }> = {};
    for (const { service, node, functions } of this.#sets.values()) {
      for (const { type, version, timeout } of functions) {
        const key = `${service} ${type} ${version}`;
        const nodes = [...((table[key]?.nodes as Node[]) ?? []), node].sort();
        table[key] = { timeout, nodes };
      }
    }
    for (const [key, timeout] of this.#host) table[key] = { timeout, nodes: "local" };
    return table;
  }
}

interface World {
  readonly gateway: ReturnType<typeof openReceiver>;
  readonly model: Model;
}
type Step = (world: World) => Promise<unknown> | unknown;

const named = (text: string, step: Step) => Object.assign(step, { toString: () => text });
const written =
  (service: string) =>
  ({ type, version, timeout }: Content): FunConfigInput =>
    fun(type, { service, version, timeout });

const pushed = fc.tuple(service, node, set).map(([service, node, functions]) =>
  named(`${node} pushes ${service} ${JSON.stringify(functions)}`, async ({ gateway, model }) => {
    const [before] = [gateway.sets.get(service, node)?.configVersion];
    const outcome = await gateway.push(node, functions.map(written(service)), { service });
    // A version that the gateway has stands for the same functions: nothing is newer then.
    if (outcome.outcome === "accepted") model.push(service, node, functions);
    else expect(before).toBeDefined();
  }),
);
const forced = fc.tuple(service, node, set).map(([service, node, functions]) =>
  named(`${node} forces ${service} ${JSON.stringify(functions)}`, async ({ gateway, model }) => {
    await gateway.push(node, functions.map(written(service)), { service, force: true, configVersion: "1" });
    model.push(service, node, functions);
  }),
);
const abandoned = fc.tuple(service, node, set).map(([service, node, functions]) =>
  named(`${node} begins ${service} and is lost`, async ({ gateway }) => {
    const ask = gateway.session(node, [service]);
    const begin = { service, configVersion: "lost", count: functions.length + 1 };
    const { push } = (await ask("push_begin", begin)) as { push: number };
    const configs = functions.map(written(service)).map(({ nodes: _local, ...config }) => config);
    await ask("push_slice", { push, functions: configs });
    cast(gateway.receiver(), "nodeLost", node);
  }),
);
const forgotten = node.map((node) =>
  named(`${node} is forgotten`, async ({ gateway, model }) => {
    await gateway.forget(node);
    model.forget(node);
  }),
);
const returned = node.map((node) =>
  named(`${node} is back before it is forgotten`, async ({ gateway }) => {
    await gateway.lose(node);
    await gateway.simulated.advanceAsync(20_000);
    await gateway.up(node);
    await gateway.simulated.advanceAsync(20_000);
    await idle();
  }),
);
const crash = fc.constantFrom("receiver", "cache").map((which) =>
  named(`the ${which} crashes`, async ({ gateway }) => {
    const ref: () => AnyActorRef | undefined = gateway[which];
    const first = ref();
    kill(first!);
    await expect.poll(ref, { interval: 1 }).not.toBe(first);
    await idle();
  }),
);
const host = content.map((content) =>
  named(`the host registers ${JSON.stringify(content)}`, async ({ gateway, model }) => {
    const { type, version, timeout } = content;
    await gateway.host(fun(type, { version, timeout }));
    model.host(content);
  }),
);
const together = fc.array(fc.tuple(node, set), { minLength: 2, maxLength: 3 }).map((pushes) =>
  named("several nodes push at once, and are forgotten", async ({ gateway, model }) => {
    const both = pushes.map(([node, functions]) =>
      gateway.push(node, functions.map(written("users")), { force: true }).catch(() => undefined),
    );
    await Promise.all(both);
    for (const [node] of pushes) {
      await gateway.forget(node);
      model.forget(node);
    }
  }),
);

const steps = fc.array(fc.oneof(pushed, pushed, forced, abandoned, forgotten, returned, crash, host, together), {
  maxLength: 15,
});

test("After any pushes, losses, forgets and crashes the table is what a naive map of sets says", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      await using gateway = openReceiver();
      const world: World = { gateway, model: new Model() };
      for (const step of steps) {
        await step(world);
        const table = Object.fromEntries(
          Array.from(
            gateway.functionTable.entries(),
            ({ config: { service, requestType, version, timeout, nodes } }) => [
              `${service} ${requestType} ${version}`,
              { timeout, nodes },
            ],
          ),
        );
        expect(table).toEqual(world.model.table());
      }
      await gateway.system.shutdown();
      expect(gateway.simulated.pending).toBe(0);
    }),
    { numRuns: 150 },
  );
});
