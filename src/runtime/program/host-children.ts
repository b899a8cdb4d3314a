import { type ChildSpec, childSpec } from "../../actor/supervisor/child-spec.ts";
import { fromSupervisor } from "../../actor/supervisor/supervisor.ts";
import type { System } from "../../actor/system.ts";
import { isText, mustTake } from "../../core/argument.ts";
import type { ActorRef } from "../../otp/actor-ref.ts";
import type { AnySpec } from "../../otp/child-spec.ts";
import { childrenName } from "../options/actor-names.ts";

// After three restarts within five seconds all are stopped for a second, then two, at most for a minute.
const backoff = { firstMs: 1_000, maxMs: 60_000 };

/**
 * The supervisor of the host's children. It never gives up, and so their crashes count against nobody else: one that would
 * give up rests.
 */
export function hostChildren(children: readonly AnySpec[]): ChildSpec {
  const logic = fromSupervisor({ children: children as readonly ChildSpec[], rest: backoff });
  return childSpec({ id: childrenName, name: childrenName, logic });
}

/** Finds the host's own actors by name, and no others of the tree. */
export function whereisChild(system: System, name: string): ActorRef | undefined {
  mustTake("whereis", "the name of an actor", name, isText);
  const found = system.whereis(name);
  if (found === undefined || !isBelowChildren(found, system.root)) return undefined;
  return found as unknown as ActorRef;
}

function isBelowChildren(ref: System["root"], root: System["root"]): boolean {
  for (let at: typeof ref._parent = ref; at !== undefined; at = at._parent) {
    if (at.id === childrenName && at._parent === root) return true;
  }
  return false;
}
