import { assign, fromPromise, setup } from "xstate";
import { withStatus } from "../actor/inspection/format-status.ts";
import { contain } from "../actor/lifecycle/contain.ts";
import { toError } from "../core/errors.ts";
import { backoffMs } from "../core/time/backoff.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { type PullDeps, type PullOutcome, type PullPlan, type PullTarget, pullFunctions } from "./pull-functions.ts";

const pullStart = telemetryEvent("config.pull.start");
const pullStop = telemetryEvent("config.pull.stop");

/** The input of a puller. */
export interface PullerInput {
  readonly gateway: string;
  readonly target: PullTarget;
  /** Read before every pull; null ends the puller, because the pull is no longer wanted. */
  plan(): PullPlan | null;
  readonly deps: PullDeps;
  /**
   * Milliseconds from the end of a pull to the next. After failures it doubles each time, up to 300 000, with jitter.
   */
  readonly pullIntervalMs: number;
  /** Returns a number in [0, 1), as `Math.random` does. */
  random(): number;
}

interface PullerContext {
  readonly service: string;
  readonly input: PullerInput;
  /** Failed pulls since the last success. */
  readonly failures: number;
  readonly lastError: Error | null;
  /** The node that answered last. */
  readonly lastNode: string | null;
}

/** A live node has come: a puller that waits after a failure may retry at once. */
export const pullNow = { type: "config_puller.pull_now" } as const;

const maxBackoffMs = 300_000;

const pull = fromPromise<PullOutcome | null, PullerInput>(async ({ input, signal }) => {
  const { gateway, target, deps } = input;
  const plan = input.plan();
  if (plan === null) return null;
  const { service } = target;
  const { clock } = deps;
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
    const outcome = await pullFunctions(target, plan, deps, signal);
    stopped(outcome, null);
    return outcome;
  } catch (thrown) {
    // A pull that is no longer wanted has not failed.
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

/** Pulls one service repeatedly: at its start, then every interval, and less often while pulls fail. */
export const configPullerActor = withStatus(machine, ({ context: { service, failures, lastError, lastNode } }) => ({
  service,
  failures,
  lastError,
  lastNode,
}));
