import { type AnyActorRef, createActor } from "xstate";
import { type Clock, systemClock } from "../core/clock.ts";
import { toError } from "../core/errors.ts";
import type { Closed } from "./closed.ts";
import { contain } from "./contain.ts";
import { exitOf, isAlive, shutdownEvent } from "./exit.ts";
import { attach } from "./inspect.ts";
import type { Inspection, InspectionObserver } from "./inspection.ts";
import { fromSupervisor, type SupervisorOptions } from "./supervisor.ts";
import type { SupervisorRef } from "./supervisor-requests.ts";
import { contextOf } from "./system-context.ts";
import { restartedBelow, treeOf } from "./tree.ts";
import type { RestartedActor, TreeNode } from "./tree-node.ts";

/** A system's name, its time, and its root supervisor. */
export interface SystemOptions extends SupervisorOptions {
  /** The root's id. */
  readonly name: string;
  /** The gateway or service node whose tree it is, for telemetry. @default the system's name */
  readonly program?: string;
  /** @default the machine's */
  readonly clock?: Clock;
  /** Watches every actor from the start. @default nobody */
  readonly inspect?: Inspection | InspectionObserver;
}

/** A running tree of actors. */
export interface System {
  readonly name: string;
  readonly clock: Clock;
  readonly root: SupervisorRef;
  /** Resolves, and never rejects, when the root has ended. */
  readonly closed: Promise<Closed>;
  /** The actor registered under `name` now. */
  whereis<Ref extends AnyActorRef = AnyActorRef>(name: string): Ref | undefined;
  /** The names that living actors are registered under. */
  names(): readonly string[];
  /** The value of the table `name`, whoever owns it. */
  table(name: string): unknown;
  /** The supervision tree as it is now. */
  tree(): TreeNode;
  /** The actors that were started again, or are being. */
  restarted(): readonly RestartedActor[];
  /** Lets an observer watch every actor, see {@link attach}; returns how to detach it. Watching slows actors down. */
  inspect(inspection: Inspection | InspectionObserver): () => void;
  /** Stops the children in reverse order of their start, within their shutdown times. */
  shutdown(): Promise<Closed>;
}

/**
 * Starts a system: a root supervisor and what is below it, all running when this returns. The end of the root, by
 * {@link System.shutdown} or because it gave up, does not end the process; it resolves `closed`.
 *
 * @throws what the child that did not start threw, or `max_restarts` when the root gave up while starting; nothing is
 * left running then
 */
export function startSystem(options: SystemOptions): System {
  const { name, program = name, clock = systemClock } = options;
  const root: SupervisorRef = createActor(contain(fromSupervisor(options)), {
    id: name,
    clock,
  });
  if (options.inspect !== undefined) attach(root, options.inspect);
  const context = contextOf(root);
  context.program = program;
  const { tables } = context;
  const closed = new Promise<Closed>((resolve) => {
    const ended = () => {
      tables.clear();
      const exit = exitOf(root);
      resolve(exit === "shutdown" ? { reason: "stopped" } : { reason: "error", error: rootError(root) });
    };
    root.subscribe({ complete: ended, error: ended });
  });
  (root as ReturnType<typeof createActor>).start();
  if (exitOf(root) !== undefined) throw rootError(root);
  return {
    name,
    clock,
    root,
    closed,
    whereis: (key) => root.system.get(key),
    names: () => Object.keys(root.system.getAll()),
    table: (key) => tables.get(key)?.value,
    tree: () => treeOf(root),
    restarted: () => restartedBelow(root),
    inspect: (inspection) => attach(root, inspection),
    shutdown() {
      if (isAlive(root)) root.send(shutdownEvent);
      return closed;
    },
  };
}

function rootError(root: SupervisorRef): Error {
  return toError(root.getSnapshot().error);
}
