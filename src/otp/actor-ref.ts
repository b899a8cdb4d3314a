import { mustTakeEvent } from "../actor/lifecycle/event.ts";
import * as exit from "../actor/lifecycle/exit.ts";
import type { ExitReason } from "../actor/lifecycle/exit-reason.ts";
import { mustTake } from "../core/argument.ts";
import { isError } from "../core/errors.ts";
import { actor, livingActor } from "./checks/actors.ts";

/** Marks types only: no value has such a field. */
declare const opaque: unique symbol;

/**
 * An actor as others hold it: a pid, in Erlang. It stays the same for the actor's life, and the actor that a supervisor
 * starts in its place has another one: keep the name, and ask `whereis` at each use.
 *
 * @example
 * const ref: ActorRef = await startChild(system.root, { id: "cache", logic: cache });
 * ref.id; // "cache"
 * isAlive(ref); // true
 */
export interface ActorRef {
  /** The id of its child spec: unique among its siblings. */
  readonly id: string;
  /** Unique in its system; its successor has another. */
  readonly sessionId: string;
  /** Only `gen-api/otp` makes one. */
  readonly [opaque]: true;
}

/**
 * Whether the actor has not ended (`Process.alive?/1`).
 *
 * @example
 * const ref = await startChild(system.root, { id: "cache", logic: cache });
 * isAlive(ref); // true
 * kill(ref);
 * isAlive(ref); // false: another actor has its place
 */
export function isAlive(ref: ActorRef): boolean {
  return exit.isAlive(actor("isAlive", ref));
}

/**
 * Why the actor ended; undefined while it lives.
 *
 * @example
 * const ref = await startChild(system.root, { id: "cache", logic: cache, restart: "temporary" });
 * exitOf(ref); // undefined
 * await terminateChild(system.root, "cache");
 * exitOf(ref); // "shutdown"
 */
export function exitOf(ref: ActorRef): ExitReason | undefined {
  return exit.exitOf(actor("exitOf", ref));
}

/**
 * Ends an actor whatever it does (`Process.exit(pid, :kill)`): what it held is released, and its supervisor does about
 * it what its spec says. A handler that is running is not interrupted.
 *
 * @param reason the error that the actor shall seem to have crashed with; without it, it ends as "killed"
 * @example
 * kill(system.whereis("cache"), new Error("a test wants to see it restarted"));
 */
export function kill(ref: ActorRef | undefined, reason?: Error): void {
  mustTake("kill", "an Error as its reason", reason, (value) => value === undefined || isError(value));
  const living = ref === undefined ? undefined : livingActor("kill", ref);
  if (living !== undefined) exit.kill(living, reason);
}

/**
 * Sends an actor an event (`send/2`): a server takes it in `handleInfo`, a resource in `receive`, a machine by a
 * transition. Nobody learns whether it arrived.
 *
 * @example
 * send(system.whereis("cache"), { type: "sweep" });
 */
export function send<Event extends { readonly type: string }>(ref: ActorRef | undefined, event: Event): void {
  mustTakeEvent("send", event);
  if (ref !== undefined) livingActor("send", ref)?.send(event);
}
