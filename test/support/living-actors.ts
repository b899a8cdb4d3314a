import type { AnyActorRef } from "xstate";

/** The actors of a gateway, seen through its inspector: give it `inspect`. */
export function watchActors() {
  const actors = new Set<AnyActorRef>();
  const inspect = (event: unknown) => {
    const { type, actorRef } = event as { type: string; actorRef: AnyActorRef };
    if (type === "@xstate.actor") actors.add(actorRef);
  };
  /** Those that live and match. */
  const living = (matches: (ref: AnyActorRef) => boolean) =>
    [...actors].filter((ref) => matches(ref) && ref.getSnapshot().status === "active");
  return { inspect, living };
}

/** Whether an actor is registered under `name`. */
export const named = (name: string) => (ref: AnyActorRef) => (ref as { systemId?: string }).systemId === name;
