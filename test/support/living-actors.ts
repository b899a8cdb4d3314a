import type { InspectedEvent } from "gen-api";
import type { AnyActorRef } from "xstate";
import { actorOf } from "../../dist/actor/inspection/inspected-actor.js";

/** The actors of a gateway, seen through its inspector: give it `inspect`. */
export function watchActors() {
  const actors = new Set<AnyActorRef>();
  const inspect = ({ type, actorRef }: InspectedEvent) => {
    if (type === "@xstate.actor") actors.add(actorOf(actorRef));
  };
  /** Those that live and match. */
  const living = (matches: (ref: AnyActorRef) => boolean) =>
    [...actors].filter((ref) => matches(ref) && ref.getSnapshot().status === "active");
  return { inspect, living };
}

/** Whether an actor is registered under `name`. */
export const named = (name: string) => (ref: AnyActorRef) => (ref as { systemId?: string }).systemId === name;
