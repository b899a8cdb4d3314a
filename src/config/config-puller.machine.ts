import { assign, fromPromise, setup } from "xstate";
import { contain } from "../actor/contain.ts";
import { withStatus } from "../actor/format-status.ts";
import { backoffMs } from "../core/backoff.ts";
import { toError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { type PullOutcome, type PullPlan, type PullSources, type PullTarget, pullFunctions } from "./pull-functions.ts";

const pullStart = telemetryEvent("config.pull.start");
const pullStop = telemetryEvent("config.pull.stop");

/** What a puller is started with. */
export interface PullerInput {
  readonly gateway: string;
  readonly target: PullTarget;
  /** Read before every pull; null ends the puller: nobody wants the pull any more. */
  plan(): PullPlan | null;
  readonly sources: PullSources;
  /** Milliseconds from a pull's end to the next. After failures it doubles with each, up to 300 000, with jitter. */
  readonly pullIntervalMs: number;
  /** Returns a number in [0, 1), as `Math.random` does. */
  random(): number;
}

interface PullerContext {
  readonly service: string;
  readonly input: PullerInput;
  /** Failed pulls since the last that succeeded. */
  readonly failures: number;
  readonly lastError: Error | null;
  /** Who answered last. */
  readonly lastNode: string | null;
}

/** A live node has come: whoever waits after a failure may try at once. */
export const pullNow = { type: "config_puller.pull_now" } as const;

const maxBackoffMs = 300_000;

const pull = fromPromise<PullOutcome | null, PullerInput>(async ({ input, signal }) => {
  const { gateway, target, sources } = input;
  const plan = input.plan();
  if (plan === null) return null;
  const { service } = target;
  const { clock } = sources;
  const startedAt = clock.now();
  const stopped = (outcome: PullOutcome | undefined, error: Error | null) => {
    if (!pullStop.active) return;
    const { node = null, accepted = 0, refused = 0, isChanged = false } = outcome ?? {};
    const duration_us = Math.round((clock.now() - startedAt) * 1000);
    const result = isChanged ? "changed" : "unchanged";
    pullStop.emit(
      { duration_us, accepted, refused },
      { gateway, service, node, outcome: error === null ? result : "failed", error },
    );
  };
  if (pullStart.active) pullStart.emit({ system_time: clock.systemTime() }, { gateway, service });
  try {
    const outcome = await pullFunctions(target, plan, sources, signal);
    stopped(outcome, null);
    return outcome;
  } catch (thrown) {
    // A pull that nobody waits for any more has not failed.
    if (!signal.aborted) stopped(undefined, toError(thrown));
    throw thrown;
  }
});

const machine = setup({
  types: {
    context: {} as PullerContext,
    input: {} as PullerInput,
    events: {} as typeof pullNow,
  },
  actors: { pull: contain(pull) },
  delays: {
    interval: ({ context }) => context.input.pullIntervalMs,
    backoff: ({ context: { failures, input } }) =>
      backoffMs({ firstMs: input.pullIntervalMs, maxMs: maxBackoffMs }, failures, input.random()),
  },
}).createMachine({
  id: "config_puller",
  context: ({ input }) => ({ service: input.target.service, input, failures: 0, lastError: null, lastNode: null }),
  initial: "pulling",
  states: {
    pulling: {
      invoke: {
        id: "pull",
        src: "pull",
        input: ({ context }) => context.input,
        onDone: [
          { guard: ({ event }) => event.output === null, target: "retired" },
          {
            target: "waiting",
            actions: assign({ failures: 0, lastError: null, lastNode: ({ event }) => event.output?.node ?? null }),
          },
        ],
        onError: {
          target: "backing_off",
          actions: assign({
            failures: ({ context }) => context.failures + 1,
            lastError: ({ event }) => toError(event.error),
          }),
        },
      },
    },
    waiting: { after: { interval: "pulling" } },
    backing_off: { after: { backoff: "pulling" }, on: { [pullNow.type]: "pulling" } },
    retired: { type: "final" },
  },
});

/** Pulls one service again and again: at its start, then every interval, and less and less often while that fails. */
export const configPuller = withStatus(machine, ({ context: { service, failures, lastError, lastNode } }) => ({
  service,
  failures,
  lastError,
  lastNode,
}));
