import { type AnyActorRef, createActor } from "xstate";
import { toError } from "../core/errors.ts";
import { type Clock, systemClock } from "../core/time/clock.ts";
import type { Closed } from "./closed.ts";
import { attach } from "./inspection/inspect.ts";
import type { Inspection, InspectionObserver } from "./inspection/inspection.ts";
import { contain } from "./lifecycle/contain.ts";
import { exitOf, isAlive, shutdownEvent } from "./lifecycle/exit.ts";
import { contextOf } from "./lifecycle/system-context.ts";
import { fromSupervisor, type SupervisorOptions } from "./supervisor/supervisor.ts";
import type { SupervisorRef } from "./supervisor/supervisor-requests.ts";
import { restartedBelow, treeOf } from "./supervisor/tree.ts";
import type { RestartedActor, TreeNode } from "./supervisor/tree-node.ts";

/** A system's name, its time, and its root supervisor. */
export interface SystemOptions extends SupervisorOptions {
  /** The root's id. */
  readonly name: string;
  /** The gateway or service node that owns the tree, for telemetry. @default the system's name */
  readonly program?: string;
  /** The source of time. @default the machine's */
  readonly clock?: Clock;
  /** Watches every actor from the start. @default no observer */
  readonly inspect?: Inspection | InspectionObserver;
}

/** A running tree of actors. */
export interface System {
  readonly name: string;
  readonly clock: Clock;
  readonly root: SupervisorRef;
  /** Resolves, and never rejects, when the root has ended. */
  readonly closed: Promise<Closed>;
  /** The actor currently registered under `name`. */
  whereis<Ref extends AnyActorRef = AnyActorRef>(name: string): Ref | undefined;
  /** The names of living actors. */
  names(): readonly string[];
  /** The value of the table `name`, whichever actor owns it. */
  table(name: string): unknown;
  /** The current supervision tree. */
  tree(): TreeNode;
  /** The actors that were restarted, or are being restarted. */
  restarted(): readonly RestartedActor[];
  /**
   * Lets an observer watch every actor, see {@link attach}. Watching slows actors down.
   * @returns a function that detaches it
   */
  inspect(inspection: Inspection | InspectionObserver): () => void;
  /** Stops the children in reverse order of their start, within their shutdown times. */
  shutdown(): Promise<Closed>;
}

/**
 * Starts a system: a root supervisor and the tree below it, all running when this returns. The end of the root, by
 * {@link System.shutdown} or because it gave up, does not end the process; it resolves `closed`.
 *
 * @throws GenApiError `failed` that names the child that did not start, with its error as cause; `max_restarts` if the
 * root gave up while starting; nothing is left running then
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
