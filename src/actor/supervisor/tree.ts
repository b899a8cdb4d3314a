import type { AnyActorRef } from "xstate";
import { isAlive } from "../lifecycle/exit.ts";
import { typeOf } from "./child-spec.ts";
import { type ChildInfo, type SupervisorRef, troubledChildren, whichChildren } from "./supervisor-requests.ts";
import type { RestartedActor, TreeNode } from "./tree-node.ts";

/** The actors below `ref` that were restarted since it started, or are being restarted. Looks only at supervisors. */
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

/** The current tree from `ref` down. */
export function treeOf(ref: AnyActorRef): TreeNode {
  const status = isAlive(ref) ? "running" : "stopped";
  return nodeOf({ id: ref.id, ref, status, type: isSupervisor(ref) ? "supervisor" : "worker", restarts: 0 });
}

function nodeOf({ id, ref, status, type, restarts }: Omit<ChildInfo, "restartedAt">): TreeNode {
  const children = ref === undefined ? [] : childrenOf(ref);
  return { id, name: systemIdOf(ref), type, status, restarts, children };
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

function systemIdOf(ref: AnyActorRef | undefined): string | null {
  return (ref as { systemId?: string } | undefined)?.systemId ?? null;
}
