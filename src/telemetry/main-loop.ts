import type { Clock } from "../core/time/clock.ts";
import type { TelemetryEvents } from "./events.ts";
import { telemetryEvent } from "./telemetry.ts";

/** The kinds of host code that can hold the event loop. */
type LoopHolder = TelemetryEvents["loop.held"]["metadata"]["holder"];

/** A gateway or a service node. */
export interface Program {
  readonly name: string;
  readonly clock: Clock;
}

/** A function by its parts, so that its name is composed only when it is reported. */
interface Named {
  readonly service: string;
  readonly requestType: string;
}

/** {@link loopTaken} and {@link loopReleased} for a function that runs piece by piece. */
export interface LoopWatch {
  taken(): number;
  released(since: number): void;
}

const held = telemetryEvent("loop.held");

/** How long host code may run on the main thread before it is reported, milliseconds. */
const longHoldMs = 50;

/** The result of {@link loopTaken} while there are no listeners. */
export const unwatched = -1;

/**
 * Marks that host code is about to run on the main thread; pass the result to {@link loopReleased}. Costs one check
 * while `loop.held` has no listeners.
 */
export function loopTaken(clock: Clock): number {
  return held.active ? clock.now() : unwatched;
}

/** The host code has returned, thrown, or waits: reports it if it took long. */
export function loopReleased(since: number, program: Program, holder: LoopHolder, name: string | Named): void {
  if (since === unwatched) return;
  const ms = program.clock.now() - since;
  if (ms < longHoldMs) return;
  const fullName = typeof name === "string" ? name : `${name.service}.${name.requestType}`;
  held.emit({ duration_us: Math.round(ms * 1_000) }, { program: program.name, holder, name: fullName });
}
