import { subscribe, unsubscribe } from "node:diagnostics_channel";
import fc from "fast-check";
import { expect, it } from "vitest";
import { shutdownEvent } from "../../../src/actor/lifecycle/exit.ts";
import {
  type AutoShutdown,
  deleteChild,
  kill,
  restartChild,
  type SupervisorRef,
  send,
  startChild,
  type TreeNode,
  terminateChild,
} from "../../../src/otp.ts";
import type { TelemetryMessage } from "../../../src/telemetry/telemetry.ts";
import { settled } from "../../support/simulated-clock.ts";
import { type Node, OtpModel, type Slot, type Spec } from "./otp-model.ts";
import { codeOf, RealTree } from "./real-tree.ts";

// After each command time is let pass until everything is at rest: longer than all stops together can take.
const restMs = 10_000;

function shapeOf(node: Node): unknown {
  return { id: node.spec.id, children: node.slots.map(slotShape) };
}

function slotShape({ spec, node, restarting, restarts }: Slot): unknown {
  const status = node !== undefined ? "running" : restarting ? "restarting" : "stopped";
  return { id: spec.id, status, restarts, children: node?.slots.map(slotShape) ?? [] };
}

function realShape({ id, status, restarts, children }: TreeNode): unknown {
  return { id, status, restarts, children: children.map(realShape) };
}

/** Lets everything come to rest and compares all that can be seen. */
async function compare(model: OtpModel, real: RealTree): Promise<void> {
  const wait = model.now + restMs - real.clock.now();
  await real.clock.advanceAsync(wait);
  model.now += restMs;
  expect(real.log).toEqual(model.log);
  expect(real.closed === undefined).toBe(model.root !== undefined);
  const living = model.nodes();
  const workers = living.filter(({ spec }) => spec.kind === "worker").length;
  expect(real.clock.pending).toBe(workers);
  const names = living.slice(1).map(({ spec }) => spec.id);
  expect(real.system.names().toSorted()).toEqual(names.toSorted());
  if (model.root === undefined) return;
  const { id, children } = real.system.tree();
  expect({ id, children: children.map(realShape) }).toEqual(shapeOf(model.root));
}

type Act = (model: OtpModel, real: RealTree) => Promise<void> | void;

class Command implements fc.AsyncCommand<OtpModel, RealTree> {
  readonly #text: string;
  readonly #act: Act;
  constructor(text: string, act: Act) {
    this.#text = text;
    this.#act = act;
  }
  check = (model: Readonly<OtpModel>) => model.root !== undefined;
  async run(model: OtpModel, real: RealTree): Promise<void> {
    await this.#act(model, real);
    await compare(model, real);
  }
  toString = () => this.#text;
}

function pick<Item>(items: readonly Item[], index: number): Item | undefined {
  return items[index % items.length];
}

const autoShutdown = fc.constantFrom<AutoShutdown>("never", "never", "any_significant", "all_significant");
const intensity = fc.record({ maxRestarts: fc.integer({ min: 0, max: 3 }), withinMs: fc.constantFrom(5000, 35_000) });

/** Specs with unique ids, from a tree of shapes; nobody is significant who must not be. */
function numbered(shape: Shape, next: { id: number }, prefix: string, autoShutdown: AutoShutdown): Spec {
  next.id += 1;
  const id = `${prefix}${next.id}`;
  const below = shape.kind === "supervisor" ? shape.children : [];
  const children = below.map((child) => numbered(child, next, prefix, shape.autoShutdown));
  const significant = shape.significant && autoShutdown !== "never" && shape.restart !== "permanent";
  return { ...shape, id, significant, stubborn: shape.kind === "worker" && shape.stubborn, children };
}

interface Shape extends Omit<Spec, "id" | "children"> {
  readonly children: readonly Shape[];
}

const shape = fc.letrec<{ shape: Shape; worker: Shape }>((tie) => {
  const common = {
    restart: fc.constantFrom("permanent", "permanent", "transient", "temporary"),
    shutdown: fc.constantFrom("time", "time", "brutal_kill"),
    strategy: fc.constantFrom("one_for_one", "one_for_all", "rest_for_one"),
    stubborn: fc.constantFrom(false, false, false, true),
    significant: fc.boolean(),
    autoShutdown,
    maxChildren: fc.integer({ min: 1, max: 4 }),
    intensity,
  } as const;
  return {
    worker: fc.record({ ...common, kind: fc.constant("worker"), children: fc.constant([]) }),
    shape: fc.oneof(
      { depthSize: "small", maxDepth: 3 },
      tie("worker"),
      tie("worker"),
      fc.record({ ...common, kind: fc.constant("dynamic"), children: fc.constant([]) }),
      fc.record({
        ...common,
        kind: fc.constant("supervisor"),
        children: fc.array(tie("shape"), { maxLength: 4, size: "max" }),
      }),
    ),
  } as never;
});

const root = fc
  .record({
    strategy: fc.constantFrom("one_for_one" as const, "one_for_all" as const, "rest_for_one" as const),
    autoShutdown,
    children: fc.array(shape.shape, { minLength: 1, maxLength: 4, size: "max" }),
  })
  .map(
    ({ strategy, autoShutdown, children }): Spec => ({
      id: "root",
      kind: "supervisor",
      restart: "permanent",
      shutdown: "time",
      stubborn: false,
      significant: false,
      autoShutdown,
      maxChildren: 1,
      strategy,
      intensity: { maxRestarts: 5, withinMs: 35_000 },
      children: children.map((child, index) => numbered(child, { id: 0 }, `${"abcd"[index]}`, autoShutdown)),
    }),
  );

let started = 0;
const index = fc.nat(1000);

const supervisorsOf = (model: OtpModel) => model.nodes().filter(({ spec }) => spec.kind !== "worker");
const refOf = (real: RealTree, node: Node) => real.ref(node.spec.id) as SupervisorRef;

const commands = [
  index.map((n) =>
    command(`crash ${n}`, (model, real) => {
      const worker = pick(workersOf(model), n);
      if (worker === undefined) return;
      send(real.ref(worker.spec.id), { type: "crash" });
      model.exit(worker, "error");
    }),
  ),
  index.map((n) =>
    command(`finish ${n}`, (model, real) => {
      const worker = pick(workersOf(model), n);
      if (worker === undefined) return;
      send(real.ref(worker.spec.id), { type: "finish" });
      model.exit(worker, "normal");
    }),
  ),
  index.map((n) =>
    command(`shut down ${n}`, (model, real) => {
      const worker = pick(
        workersOf(model).filter(({ spec }) => !spec.stubborn),
        n,
      );
      if (worker === undefined) return;
      send(real.ref(worker.spec.id), shutdownEvent);
      model.exit(worker, "shutdown");
    }),
  ),
  index.map((n) =>
    command(`kill ${n}`, (model, real) => {
      const node = pick(model.nodes().slice(1), n);
      if (node === undefined) return;
      kill(real.ref(node.spec.id));
      model.kill(node);
    }),
  ),
  fc.tuple(index, fc.integer({ min: 1, max: 3 })).map(([n, times]) =>
    command(`fail the next ${times} starts of ${n}`, (model, real) => {
      const worker = pick(workersOf(model), n);
      if (worker === undefined) return;
      model.failing.set(worker.spec.id, times);
      real.failing.set(worker.spec.id, times);
    }),
  ),
  fc.tuple(index, shape.worker, fc.boolean(), fc.boolean()).map(([n, child, fails, again]) =>
    command(`start a child of ${n}`, async (model, real) => {
      const supervisor = pick(supervisorsOf(model), n);
      if (supervisor === undefined) return;
      started += 1;
      const present = again ? supervisor.slots.at(-1)?.spec.id : undefined;
      const spec: Spec = { ...child, id: present ?? `n${started}`, children: [] };
      if (fails && present === undefined) {
        model.failing.set(spec.id, 1);
        real.failing.set(spec.id, 1);
      }
      const code = await codeOf(startChild(refOf(real, supervisor), real.childSpec(spec)));
      expect(code).toBe(model.startChild(supervisor, spec));
    }),
  ),
  ...(["terminateChild", "restartChild", "deleteChild"] as const).map((name) =>
    fc.tuple(index, index).map(([n, m]) =>
      command(`${name} ${n} ${m}`, async (model, real) => {
        const supervisor = pick(supervisorsOf(model), n);
        if (supervisor === undefined) return;
        const id = pick(supervisor.slots, m)?.spec.id ?? "nobody";
        const request = { terminateChild, restartChild, deleteChild }[name];
        const code = codeOf(request(refOf(real, supervisor), id));
        const before = model.now;
        const expected = model[name](supervisor, id);
        await real.clock.advanceAsync(model.now - before);
        expect(await code).toBe(expected);
      }),
    ),
  ),
  fc.constantFrom(1000, 20_000).map((ms) =>
    command(`wait ${ms}`, async (model, real) => {
      await real.clock.advanceAsync(ms);
      model.now += ms;
    }),
  ),
];

function command(text: string, act: Act): Command {
  return new Command(text, act);
}

function workersOf(model: OtpModel): Node[] {
  return model.nodes().filter(({ spec }) => spec.kind === "worker");
}

it("does what OTP's rules say for random trees, crashes, kills, starts and stops, and leaves nothing behind", async () => {
  await fc.assert(
    fc.asyncProperty(root, fc.commands(commands, { maxCommands: 40, size: "max" }), async (spec, plan) => {
      const running = new Map<string, number>();
      const count = (by: number) => (message: unknown) => {
        const { metadata } = message as TelemetryMessage<"supervisor.child.exit">;
        running.set(metadata.child, (running.get(metadata.child) ?? 0) + by);
      };
      const onStart = count(1);
      const onExit = count(-1);
      subscribe("gen_api.supervisor.child.start", onStart);
      subscribe("gen_api.supervisor.child.exit", onExit);
      try {
        const model = new OtpModel(spec);
        const real = new RealTree(spec);
        await fc.asyncModelRun(async () => {
          await compare(model, real);
          return { model, real };
        }, plan);
        model.shutdown();
        const closed = real.system.shutdown();
        await real.clock.advanceAsync(restMs);
        await closed;
        await settled();
        expect(real.log).toEqual(model.log);
        expect(real.system.names()).toEqual([]);
        expect(real.clock.pending).toBe(0);
        expect([...running.values()].filter((living) => living !== 0)).toEqual([]);
      } finally {
        unsubscribe("gen_api.supervisor.child.start", onStart);
        unsubscribe("gen_api.supervisor.child.exit", onExit);
      }
    }),
    { numRuns: 300 },
  );
});
