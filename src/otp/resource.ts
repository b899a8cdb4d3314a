import type { Status } from "../actor/inspection/format-status.ts";
import * as inner from "../actor/resource.ts";
import type { Clock } from "../core/time/clock.ts";
import type { ActorRef } from "./actor-ref.ts";
import { checkOptions, fields, fun } from "./checks/faults.ts";
import type { Logic } from "./logic.ts";

/** An event, as `send` sends it. */
type AnyEvent = { readonly type: string };

/**
 * What `open` is given.
 *
 * @example
 * const ticker = fromResource((scope: ResourceScope<number>) => {
 *   const timer = setInterval(() => console.log("tick"), scope.input);
 *   return () => clearInterval(timer);
 * });
 */
export interface ResourceScope<Input> {
  /** What the spec gives as `input`. */
  readonly input: Input;
  /** The actor itself. */
  readonly self: ActorRef;
  /** The time of its system. */
  readonly clock: Clock;
  /** Crashes the actor, now or later; after its end it does nothing. For errors that arrive asynchronously. */
  fail(error: unknown): void;
  /** Ends the actor normally: the peer closed the socket, the work is done. */
  finish(): void;
  /** The actor registered under `name` now. */
  whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined;
}

/**
 * Something opened, as its actor holds it.
 *
 * @example
 * const open = (): Resource<{ type: "line"; text: string }> => {
 *   const lines: string[] = [];
 *   return { close: () => console.log(lines), receive: ({ text }) => void lines.push(text) };
 * };
 * const log = fromResource(open);
 */
export interface Resource<Event extends AnyEvent = AnyEvent> {
  /** Gives it back. Runs exactly once, however the actor ends; a promise is not waited for: `shutdown` may give one. */
  close(): void;
  /** Takes the actor's events. A throw or rejection crashes the actor. */
  receive?(event: Event): void;
  /**
   * Called when the actor is asked to end: drains what is under way, then the resource is closed and the actor ends.
   * Events are still received meanwhile. The child spec's shutdown bounds it.
   */
  shutdown?(): void | Promise<void>;
  /** What inspectors see of it while it is open: plain data, small, and nothing secret. @default nothing */
  formatStatus?(): Status;
}

/**
 * What {@link fromResource} makes.
 *
 * @example
 * const watcher: ResourceLogic<string> = fromResource(({ input: file }: ResourceScope<string>) => {
 *   const watch = fs.watch(file);
 *   return () => watch.close();
 * });
 */
export interface ResourceLogic<Input = undefined> extends Logic<ActorRef, Input> {}

/**
 * An actor that owns a socket, a timer, a file: `open` opens it and returns how to close it, which happens on every path,
 * end and crash alike (in Erlang: a process with a port).
 *
 * @example
 * const poller = fromResource(({ clock, fail }) => {
 *   let timer = clock.setTimeout(poll, 1000);
 *   function poll() {
 *     fetchPrices().then(() => (timer = clock.setTimeout(poll, 1000)), fail);
 *   }
 *   return () => clock.clearTimeout(timer);
 * });
 * await startChild(system.root, { id: "prices", logic: poller });
 */
export function fromResource<Input = undefined, Event extends AnyEvent = AnyEvent>(
  open: (scope: ResourceScope<Input>) => Resource<Event> | (() => void),
): ResourceLogic<Input> {
  checkOptions("fromResource", { open }, fields({ open: fun }));
  return inner.fromResource(open as never) as unknown as ResourceLogic<Input>;
}
