import type { ActorOptions, AnyActorLogic, AnyActorRef } from "xstate";
import { libraryError } from "../../core/errors.ts";

/** Two properties of an actor, as XState creates them, that are changed here. */
interface Started {
  start(): void;
  options: ActorOptions<AnyActorLogic>;
  eventListeners: Map<string, Set<unknown>>;
}

/**
 * Starts an actor; its init has run when this returns.
 *
 * Frees what XState creates for each actor and we never use: 600 bytes that a connection and its channels would
 * otherwise hold all their life. These are the options of its creation, which V8 keeps as an object with its own hidden
 * class, and the listeners to emitted events, since our actors emit none.
 */
export function startActor(ref: AnyActorRef): void {
  const actor = ref as unknown as Started;
  actor.start();
  actor.options = noOptions;
  actor.eventListeners = noListeners;
}

const noOptions = Object.freeze({});

class NoListeners extends Map<string, never> {
  override set(event: string): never {
    throw libraryError("invalid_request", `No actor emits events, and "${event}" can be listened to on none`);
  }
}

const noListeners = new NoListeners();
