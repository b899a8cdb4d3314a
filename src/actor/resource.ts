import { types } from "node:util";
import type { ActorLogic, ActorRef, ActorScope, AnyActorRef, EventObject, Snapshot } from "xstate";
import { holds, isText, mustTake } from "../core/argument.ts";
import { libraryError, toError } from "../core/errors.ts";
import { isThenable, settle, whenRejected } from "../core/foreign/thenable.ts";
import { shown } from "../core/shown.ts";
import type { Clock } from "../core/time/clock.ts";
import type { Inspectable, Status } from "./inspection/format-status.ts";
import { contain, type GracefulLogic } from "./lifecycle/contain.ts";
import { isAlive } from "./lifecycle/exit.ts";
import { contextOf, whereis } from "./lifecycle/system-context.ts";

/** The parameter of `open` of {@link fromResource}. */
export interface ResourceScope<Input> {
  readonly input: Input;
  readonly self: AnyActorRef;
  readonly clock: Clock;
  /** Crashes the actor, now or later; has no effect after its end. For asynchronous errors. */
  fail(error: unknown): void;
  /** Ends the actor normally, for example because the peer closed the socket or the work is done. */
  finish(): void;
  /** Sends an event to the actor's parent. */
  sendParent(event: EventObject): void;
  /** The actor currently registered under `name`. */
  whereis<Ref extends AnyActorRef = AnyActorRef>(name: string): Ref | undefined;
}

/** An open resource, as its actor holds it. */
export interface Resource<Event extends EventObject = EventObject> {
  /** Releases it. Runs exactly once, however the actor ends; a promise is not waited for. */
  close(): void;
  /** Handles the actor's events. A throw or rejection crashes the actor. */
  receive?(event: Event): void;
  /**
   * Called when the actor is asked to end: drains what is in progress; then the resource is closed and the actor ends.
   * Events still arrive meanwhile. The shutdown time of the child spec bounds it.
   */
  shutdown?(): void | Promise<void>;
  /** What inspectors see while it is open, see {@link Status}. @default nothing */
  formatStatus?(): Status;
}

/** Only one of its snapshots holds the resource: it is closed before the next one is created. */
type ResourceSnapshot<Event extends EventObject> = Snapshot<undefined> & {
  readonly input: unknown;
  resource: Resource<Event> | undefined;
};

/** A reference to such an actor. */
export type ResourceRef<Event extends EventObject = EventObject> = ActorRef<Snapshot<undefined>, Event>;

/** The logic that {@link fromResource} makes. */
export interface ResourceLogic<Input = undefined, Event extends EventObject = EventObject>
  extends ActorLogic<Snapshot<undefined>, Event, Input>,
    GracefulLogic {}

interface ResourceEvent extends EventObject {
  readonly type: "resource.failed" | "resource.finished" | "resource.drained";
  readonly error?: unknown;
}

/**
 * An actor that owns a socket, a timer, a pool: `open` opens it and returns how to close it, which happens in every
 * case, stop and crash alike (XState's `fromCallback` forgets its cleanup when its receiver throws).
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
    formatStatus: ({ resource }: Current) => resource?.formatStatus?.() ?? {},
    getInitialSnapshot: (_scope, input) => ({
      status: "active",
      output: undefined,
      error: undefined,
      input,
      resource: undefined,
    }),
    start(snapshot, scope) {
      const opened = open(scopeFor(scope as Scope, snapshot.input as Input));
      snapshot.resource = resourceFrom(opened, scope.self.id);
    },
    transition(snapshot, event, scope) {
      switch (event.type) {
        case "xstate.stop":
          close(snapshot);
          return { ...snapshot, status: "stopped", output: undefined, error: undefined };
        case "resource.failed":
          throw (event as ResourceEvent).error;
        case "actor.shutdown": {
          const drained = snapshot.resource?.shutdown?.();
          if (!isThenable(drained)) return finished(snapshot);
          settle(
            drained,
            () => scope.self.send({ type: "resource.drained" }),
            (error) => scope.self.send({ type: "resource.failed", error: toError(error) }),
          );
          return snapshot;
        }
        case "resource.drained":
        case "resource.finished":
          return finished(snapshot);
        default: {
          const received: unknown = snapshot.resource?.receive?.(event as Event);
          if (isThenable(received)) whenRejected(received, (error) => failLater(scope.self, error));
          return snapshot;
        }
      }
    },
    getPersistedSnapshot: ({ status, output, error }) => ({ status, output, error }) as Snapshot<unknown>,
  };
  return contain(logic as never);
}

/** What `open` has returned: how to close it must be known at once, for the end may come at any time. */
function resourceFrom<Event extends EventObject>(opened: Resource<Event> | (() => void), id: string): Resource<Event> {
  if (typeof opened === "function") return { close: opened };
  const isPromised = isThenable(opened);
  if (isPromised) whenRejected(opened);
  else if (holds(isResource, opened)) return opened;
  const got = isPromised && !types.isProxy(opened) ? "a promise" : shown(opened);
  throw libraryError(
    "invalid_option",
    `open of "${id}" must return how to close it, or an object with close, got ${got}`,
  );
}

function isResource(value: unknown): boolean {
  const { close, receive, shutdown, formatStatus } = Object(value) as Partial<Record<keyof Resource, unknown>>;
  if (typeof close !== "function") return false;
  return [receive, shutdown, formatStatus].every((each) => each === undefined || typeof each === "function");
}

function scopeFor<Input>({ self }: { readonly self: AnyActorRef }, input: Input): ResourceScope<Input> {
  return {
    input,
    self,
    clock: contextOf(self).clock,
    fail: (error) => failLater(self, error),
    finish: () => tell(self, { type: "resource.finished" }),
    sendParent: (event) => self._parent?.send(event),
    whereis(name) {
      mustTake("whereis", "the name of an actor", name, isText);
      return whereis(self, name);
    },
  };
}

function tell(self: AnyActorRef, event: ResourceEvent): void {
  if (isAlive(self)) self.send(event);
}

function failLater(self: AnyActorRef, error: unknown): void {
  tell(self, { type: "resource.failed", error: toError(error) });
}

function finished<Event extends EventObject>(snapshot: ResourceSnapshot<Event>): ResourceSnapshot<Event> {
  close(snapshot);
  return { ...snapshot, status: "done", output: undefined, error: undefined };
}

function close<Event extends EventObject>(snapshot: ResourceSnapshot<Event>): void {
  const { resource } = snapshot;
  snapshot.resource = undefined;
  const closed: unknown = resource?.close();
  // It has ended: its failure is nobody's to hear, and must not end the process.
  if (isThenable(closed)) whenRejected(closed);
}
