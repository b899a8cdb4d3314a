import type { ActorLogic, ActorScope, AnyActorRef, EventObject, Snapshot } from "xstate";
import type { Clock } from "../core/clock.ts";
import { toError } from "../core/errors.ts";
import { contain, type GracefulLogic } from "./contain.ts";
import { isAlive } from "./exit.ts";
import type { Inspectable, Status } from "./format-status.ts";
import { contextOf, whereis } from "./system-context.ts";

/** What {@link fromResource}'s `open` is given. */
export interface ResourceScope<Input> {
  readonly input: Input;
  readonly self: AnyActorRef;
  readonly clock: Clock;
  /** Crashes the actor, now or later; after its end it does nothing. For errors that arrive asynchronously. */
  fail(error: unknown): void;
  /** Ends the actor normally: the peer closed the socket, the work is done. */
  finish(): void;
  /** Sends an event to the actor that owns this one. */
  sendParent(event: EventObject): void;
  /** The actor registered under `name` now. */
  whereis<Ref extends AnyActorRef = AnyActorRef>(name: string): Ref | undefined;
}

/** Something opened, as its actor holds it. */
export interface Resource<Event extends EventObject = EventObject> {
  /** Gives it back. Runs exactly once, however the actor ends. */
  close(): void;
  /** Takes the actor's events. A throw crashes the actor. */
  receive?(event: Event): void;
  /**
   * Called when the actor is asked to end: drains what is under way, then the resource is closed and the actor ends.
   * Events are still received meanwhile. The child spec's shutdown bounds it.
   */
  shutdown?(): void | Promise<void>;
  /** What inspectors see of it while it is open, see {@link Status}. @default nothing */
  formatStatus?(): Status;
}

interface Held<Event extends EventObject> {
  readonly input: unknown;
  resource: Resource<Event> | undefined;
}

type ResourceSnapshot<Event extends EventObject> = Snapshot<undefined> & { readonly held: Held<Event> };

/** The logic that {@link fromResource} makes. */
export interface ResourceLogic<Input = undefined, Event extends EventObject = EventObject>
  extends ActorLogic<Snapshot<undefined>, Event, Input>,
    GracefulLogic {}

interface ResourceEvent extends EventObject {
  readonly type: "resource.failed" | "resource.finished" | "resource.drained";
  readonly error?: unknown;
}

/**
 * An actor that owns a socket, a timer, a pool: `open` opens it and returns how to close it, which happens on every
 * path, stop and crash alike (XState's `fromCallback` forgets its cleanup when its receiver throws).
 */
export function fromResource<Input = undefined, Event extends EventObject = EventObject>(
  open: (scope: ResourceScope<Input>) => Resource<Event> | (() => void),
): ResourceLogic<Input, Event> {
  type Current = ResourceSnapshot<Event>;
  type Scope = ActorScope<Current, Event | ResourceEvent>;

  const logic: ActorLogic<Current, Event | ResourceEvent, Input> & GracefulLogic & Inspectable = {
    isGraceful: true,
    behaviour: "resource",
    config: open,
    formatStatus: ({ held }: Current) => held.resource?.formatStatus?.() ?? {},
    getInitialSnapshot: (_scope, input) => ({
      status: "active",
      output: undefined,
      error: undefined,
      held: { input, resource: undefined },
    }),
    start(snapshot, scope) {
      const opened = open(scopeFor(scope as Scope, snapshot.held.input as Input));
      snapshot.held.resource = typeof opened === "function" ? { close: opened } : opened;
    },
    transition(snapshot, event, scope) {
      switch (event.type) {
        case "xstate.stop":
          close(snapshot.held);
          return { ...snapshot, status: "stopped", output: undefined, error: undefined };
        case "resource.failed":
          throw (event as ResourceEvent).error;
        case "actor.shutdown": {
          const drained = snapshot.held.resource?.shutdown?.();
          if (!(drained instanceof Promise)) return finished(snapshot);
          drained.then(
            () => scope.self.send({ type: "resource.drained" }),
            (error) => scope.self.send({ type: "resource.failed", error: toError(error) }),
          );
          return snapshot;
        }
        case "resource.drained":
        case "resource.finished":
          return finished(snapshot);
        default:
          snapshot.held.resource?.receive?.(event as Event);
          return snapshot;
      }
    },
    getPersistedSnapshot: ({ status, output, error }) => ({ status, output, error }) as Snapshot<unknown>,
  };
  return contain(logic as never);
}

function scopeFor<Input>({ self }: { readonly self: AnyActorRef }, input: Input): ResourceScope<Input> {
  const tell = (event: ResourceEvent) => {
    if (isAlive(self)) self.send(event);
  };
  return {
    input,
    self,
    clock: contextOf(self).clock,
    fail: (error) => tell({ type: "resource.failed", error: toError(error) }),
    finish: () => tell({ type: "resource.finished" }),
    sendParent: (event) => self._parent?.send(event),
    whereis: (name) => whereis(self, name),
  };
}

function finished<Event extends EventObject>(snapshot: ResourceSnapshot<Event>): ResourceSnapshot<Event> {
  close(snapshot.held);
  return { ...snapshot, status: "done", output: undefined, error: undefined };
}

function close<Event extends EventObject>(held: Held<Event>): void {
  const { resource } = held;
  held.resource = undefined;
  resource?.close();
}
