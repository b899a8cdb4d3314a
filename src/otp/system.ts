import type { Closed } from "../actor/closed.ts";
import { inspectionShape, isInspection } from "../actor/inspection/inspect.ts";
import type { Inspection, InspectionObserver } from "../actor/inspection/inspection.ts";
import type { RestartedActor, TreeNode } from "../actor/supervisor/tree-node.ts";
import * as inner from "../actor/system.ts";
import { isText, mustTake } from "../core/argument.ts";
import { type Clock, systemClock } from "../core/time/clock.ts";
import { clockFault, HostClock } from "../core/time/host-clock.ts";
import { reportClockFaults } from "../telemetry/clock-faults.ts";
import type { ActorRef } from "./actor-ref.ts";
import { refTo } from "./checks/actors.ts";
import { type Check, checkOptions, Fault, fields, must, optional, text } from "./checks/faults.ts";
import { checkSpecs, supervisorFields } from "./checks/specs.ts";
import type { AnySpec, NamesIn } from "./child-spec.ts";
import type { SupervisorRef } from "./logic.ts";
import { shareNames } from "./process-names.ts";
import type { SupervisorOptions } from "./supervisor.ts";

/**
 * A system's name, its time, and what its root supervises.
 *
 * @example
 * const options: SystemOptions = { name: "shop", children: [{ id: "cache", name: "cache", logic: cache }] };
 * startSystem(options);
 */
export interface SystemOptions<Specs extends readonly AnySpec[] = readonly AnySpec[]> extends SupervisorOptions<Specs> {
  /** The root's id, and the system's name in telemetry. */
  readonly name: string;
  /** The source of time of all its actors. @default the machine's */
  readonly clock?: Clock;
  /** Watches every actor from the start. @default nobody */
  readonly inspect?: Inspection | InspectionObserver;
}

/**
 * A running tree of actors. `Names` are those that its children are registered under, as far as the compiler saw them.
 *
 * @example
 * await using system: System = startSystem({ name: "shop", children: [] });
 * system.tree(); // { id: "shop", status: "running", children: [] … }
 */
export interface System<Names = unknown> extends AsyncDisposable {
  /** The root's id. */
  readonly name: string;
  /** The source of time of all its actors. */
  readonly clock: Clock;
  /** The root supervisor. */
  readonly root: SupervisorRef;
  /** Resolves, and never rejects, when the root has ended. */
  readonly closed: Promise<Closed>;
  /** The actor registered under `name` now (`Process.whereis/1`). Ask at each use: a restart changes it. */
  whereis<Name extends string & keyof Names>(name: Name): Names[Name] | undefined;
  /** The actor that somebody else, a dynamic supervisor perhaps, has started under `name`. */
  whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined;
  /** The names that living actors are registered under (`Process.registered/0`). */
  names(): readonly string[];
  /** The value of the table `name`, whoever owns it: read it, and let its owner alone change it. */
  table<Table = unknown>(name: string): Table | undefined;
  /** The supervision tree as it is now. */
  tree(): TreeNode;
  /** The actors that were started again, or are being. */
  restarted(): readonly RestartedActor[];
  /**
   * Lets an observer watch every actor, first those that live, then all that happens: docs/inspecting.md. Watching slows
   * actors down.
   *
   * @returns how to detach it
   * @throws GenApiError `invalid_option`
   */
  inspect(inspection: Inspection | InspectionObserver): () => void;
  /** Stops the children in reverse order of their start, within their shutdown times. */
  shutdown(): Promise<Closed>;
}

const methods = ["now", "systemTime", "setTimeout", "clearTimeout"] as const;

const isClock = must("a clock with now, systemTime, setTimeout and clearTimeout", (value) =>
  methods.every((method) => typeof (value as Partial<Clock> | null)?.[method] === "function"),
);

/** A clock of the host's, as reliable as the machine's. */
const hostClock: Check = (value, got) => {
  const clock = isClock(value, got);
  if (Fault.is(clock) || clock === systemClock) return clock;
  const fault = clockFault(clock as Clock);
  return fault === null ? new HostClock(clock as Clock, reportClockFaults()) : new Fault(fault);
};

const isOptions = fields({
  ...supervisorFields,
  name: text,
  clock: optional(hostClock),
  inspect: optional(must(inspectionShape, isInspection)),
});

/**
 * Starts a system: a root supervisor and what is below it, all running when this returns. The end of the root, by
 * `shutdown` or because it gave up, does not end the process; it resolves `closed`.
 *
 * @throws GenApiError `invalid_option` for wrong options; `failed` with the id of the child that did not start, and its
 * error as cause; `already_started` when its name is taken; `max_restarts` when the root gave up while starting. Nothing
 * is left running then
 * @example
 * const system = startSystem({
 *   name: "shop",
 *   children: [{ id: "counter", name: "counter", logic: counter, input: 40 }],
 * });
 * await call(system.whereis("counter"), "add", 2); // 42
 * await system.shutdown();
 */
export function startSystem<const Specs extends readonly AnySpec[]>(
  options: SystemOptions<Specs>,
): System<NamesIn<Specs>> {
  const checked = checkOptions("startSystem", options, isOptions);
  const system = inner.startSystem({ ...checked, children: checkSpecs("startSystem", checked) });
  const { name, clock, root, closed } = system;
  const whereis = (key: string) => {
    mustTake("whereis", "the name of an actor", key, isText);
    const ref = system.whereis(key);
    return ref === undefined ? undefined : refTo<ActorRef>(ref);
  };
  const forget = shareNames(whereis);
  void closed.then(forget);
  return {
    name,
    clock,
    root: refTo<SupervisorRef>(root),
    closed,
    whereis: whereis as System<NamesIn<Specs>>["whereis"],
    names: system.names,
    table<Table>(key: string) {
      mustTake("table", "the name of a table", key, isText);
      return system.table(key) as Table | undefined;
    },
    tree: system.tree,
    restarted: system.restarted,
    inspect: system.inspect,
    shutdown: system.shutdown,
    [Symbol.asyncDispose]: async () => {
      await system.shutdown();
    },
  };
}
