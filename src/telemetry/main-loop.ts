import type { Clock } from "../core/clock.ts";
import type { TelemetryEvents } from "./events.ts";
import { telemetryEvent } from "./telemetry.ts";

/** What of the host's can hold the event loop. */
type LoopHolder = TelemetryEvents["loop.held"]["metadata"]["holder"];

/** A gateway or a service node. */
export interface Program {
  readonly name: string;
  readonly clock: Clock;
}

/** A function by its parts, so that its name is put together only where it is told. */
interface Named {
  readonly service: string;
  readonly requestType: string;
}

/** {@link loopTaken} and {@link loopReleased} of one function that runs piece by piece. */
export interface LoopWatch {
  taken(): number;
  released(since: number): void;
}

const held = telemetryEvent("loop.held");

/** How long something of the host's may run on the main thread before it is told of, milliseconds. */
const longHoldMs = 50;

/** What {@link loopTaken} returns while nobody listens. */
export const unwatched = -1;

/**
 * Notes that something of the host's is about to run on the main thread; {@link loopReleased} takes what this returns.
 * One check while nobody listens to `loop.held`.
 */
export function loopTaken(clock: Clock): number {
  return held.active ? clock.now() : unwatched;
}

/** It has returned, thrown, or waits for something: tells of it, if it took long. */
export function loopReleased(since: number, program: Program, holder: LoopHolder, name: string | Named): void {
  if (since === unwatched) return;
  const ms = program.clock.now() - since;
  if (ms < longHoldMs) return;
  const fullName = typeof name === "string" ? name : `${name.service}.${name.requestType}`;
  held.emit({ duration_us: Math.round(ms * 1_000) }, { program: program.name, holder, name: fullName });
}
