import type { AnyActorRef } from "xstate";
import { type Clock, systemClock } from "../../core/time/clock.ts";

/** Shared by all actors of one system. */
export interface SystemContext {
  readonly clock: Clock;
  /** The name of the gateway or service node, for telemetry. */
  program: string;
  /** The owned tables, by name. */
  readonly tables: Map<string, { owner: AnyActorRef; readonly value: unknown }>;
}

const contexts = new WeakMap<object, SystemContext>();

/** The context of the system of `ref`, created at first use. */
export function contextOf(ref: AnyActorRef): SystemContext {
  const known = contexts.get(ref.system);
  if (known !== undefined) return known;
  // XState holds the clock with which the system was started; its default clock cannot tell the time.
  const clock: Partial<Clock> = ref.system._clock;
  const context: SystemContext = {
    program: "",
    clock: clock.now === undefined ? systemClock : (clock as Clock),
    tables: new Map(),
  };
  contexts.set(ref.system, context);
  return context;
}

/** The actor registered under `name` in the system of `ref`. Look it up for each use: a restart changes it. */
export function whereis<Ref extends AnyActorRef = AnyActorRef>(ref: AnyActorRef, name: string): Ref | undefined {
  return ref.system.get(name) as Ref | undefined;
}
