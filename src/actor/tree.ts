import type { AnyActorRef } from "xstate";
import { typeOf } from "./child-spec.ts";
import { isAlive } from "./exit.ts";
import {
  type ChildInfo,
  type ChildStatus,
  type SupervisorRef,
  troubledChildren,
  whichChildren,
} from "./supervisor-requests.ts";

/** An actor and those below it, as plain data. */
export interface TreeNode {
  readonly id: string;
  /** The name it is registered under. */
  readonly name: string | null;
  readonly type: "worker" | "supervisor";
  readonly status: ChildStatus;
  /** How often its supervisor started it again. */
  readonly restarts: number;
  readonly children: readonly TreeNode[];
}

/** An actor that its supervisor has had to start again. */
export interface RestartedActor {
  readonly id: string;
  readonly status: ChildStatus;
  readonly restarts: number;
  /** When it last was; milliseconds since 1970, null while it has not been started again yet. */
  readonly restartedAt: number | null;
}

/** The actors below `ref` that were started again since it started, or are being. Asks supervisors alone. */
export function restartedBelow(ref: AnyActorRef): RestartedActor[] {
  if (!isSupervisor(ref)) return [];
  const supervisor = ref as SupervisorRef;
  const restarted = troubledChildren(supervisor).map(({ id, status, restarts, restartedAt }) => ({
    id,
    status,
    restarts,
    restartedAt,
  }));
  return [...restarted, ...supervisorsBelow(supervisor).flatMap(restartedBelow)];
}

/** The tree below `ref`, itself included, as it is now. */
export function treeOf(ref: AnyActorRef): TreeNode {
  const status = isAlive(ref) ? "running" : "stopped";
  return nodeOf({ id: ref.id, ref, status, type: isSupervisor(ref) ? "supervisor" : "worker", restarts: 0 });
}

function nodeOf({ id, ref, status, type, restarts }: Omit<ChildInfo, "restartedAt">): TreeNode {
  const children = ref === undefined ? [] : childrenOf(ref);
  return { id, name: nameOf(ref), type, status, restarts, children };
}

function childrenOf(ref: AnyActorRef): TreeNode[] {
  if (isSupervisor(ref)) return whichChildren(ref as SupervisorRef).map(nodeOf);
  const snapshot = ref.getSnapshot() as { children?: Record<string, AnyActorRef> } | undefined;
  return Object.values(snapshot?.children ?? {}).map(treeOf);
}

function supervisorsBelow(supervisor: SupervisorRef): AnyActorRef[] {
  const below: AnyActorRef[] = [];
  for (const { ref, spec } of supervisor.getSnapshot().supervised.values()) {
    if (ref !== undefined && typeOf(spec) === "supervisor") below.push(ref);
  }
  return below;
}

function isSupervisor(ref: AnyActorRef): boolean {
  const snapshot: unknown = ref.getSnapshot();
  return typeof snapshot === "object" && snapshot !== null && "supervised" in snapshot;
}

function nameOf(ref: AnyActorRef | undefined): string | null {
  return (ref as { systemId?: string } | undefined)?.systemId ?? null;
}
