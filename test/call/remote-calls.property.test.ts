import fc from "fast-check";
import { expect, test } from "vitest";
import { type Failure, internal, refusal, unavailable } from "../../src/call/request/failure.ts";
import { type Retry, retryPlan } from "../../src/policy/retry.ts";
import type { SentCall, SentStream } from "../support/fake-nodes.ts";
import { pipelineOf } from "../support/pipeline.ts";
import { recordEvents } from "../support/record-events.ts";
import { settled } from "../support/simulated-clock.ts";

const names = ["a", "b", "c", "d"];

/** With what a node fails what it was sent, and whether that may have begun there. */
const failures = {
  refuses: [unavailable, false],
  dies: [unavailable, true],
  breaks: [internal(new Error("x")), true],
  cannotFindIt: [internal(new Error("x")), false],
  throws: [refusal("failed", "no"), true],
  throwsForNow: [{ ...refusal("failed", "no"), retryable: true }, true],
} satisfies Record<string, [Failure, boolean]>;

const failure = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(...(Object.keys(failures) as (keyof typeof failures)[])) },
  { weight: 1, arbitrary: fc.constant("refuses" as const) },
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("succeeds", "sends a chunk", "speaks late") },
  { weight: 5, arbitrary: fc.record({ failure }) },
  { weight: 1, arbitrary: fc.constantFrom("is cancelled", "is stopped", "is left by its client") },
  { weight: 3, arbitrary: fc.record({ waitMs: fc.constantFrom(1, 100, 400, 1_000, 6_000) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      node: fc.constantFrom(...names),
      becomes: fc.constantFrom("up", "down", "refusing", "throwing", "well"),
    }),
  },
);

const scenario = fc.record({
  config: fc.record({
    responseType: fc.constantFrom("sync" as const, "async" as const, "none" as const, "stream" as const),
    retry: fc.constantFrom<Retry[]>(null, 1, 3, { sameNode: 2 }, { allNodes: 2 }),
    chooseNodeMode: fc.constantFrom("random" as const, "hash" as const, "roundRobin" as const, { sticky: "userId" }),
    nodes: fc.constantFrom(names, { module: "resolvers", function: "asTold" }),
    permissionCallback: fc.constantFrom(null, "users.may"),
  }),
  isResolverSlow: fc.boolean(),
  live: fc.oneof({ weight: 3, arbitrary: fc.constant(names) }, { weight: 1, arbitrary: fc.subarray(names) }),
  steps: fc.array(step, { maxLength: 25, size: "max" }),
});

/** What was sent to a node, and what the node has said of it so far. */
class Witness {
  /** Whether it may have begun: it may, until its node says first of all that it has not. */
  begun = true;
  #isOver = false;
  readonly #sent: SentCall | SentStream;

  constructor(sent: SentCall | SentStream, refused: boolean) {
    this.#sent = sent;
    if (refused) this.#says(false);
  }

  get node(): string {
    return this.#sent.node;
  }

  get #target() {
    return "call" in this.#sent ? this.#sent.call : this.#sent.stream;
  }

  get isQuestion(): boolean {
    return this.#target.function === "may";
  }

  succeeds(): void {
    this.#says(true);
    if ("stream" in this.#sent) this.#sent.stream.ended(null);
    else this.#sent.call.succeeded(this.isQuestion ? "true" : '"ok"');
  }

  sendsChunk(): void {
    if (!("stream" in this.#sent)) return;
    this.#says(true);
    this.#sent.stream.chunk("1");
  }

  fails([error, begun]: [Failure, boolean]): void {
    this.#says(begun);
    this.#target.failed(error as never, begun);
  }

  /** Only its first word counts, and nothing that comes when it has been given up. */
  #says(begun: boolean): void {
    if (!this.#isOver && this.#sent.cancelled === null) this.begun = begun;
    this.#isOver = true;
  }
}

test("whatever nodes do, a request has one final Response, and what may have begun is sent again only by retry", async () => {
  const seen = { answers: 0, fallbacks: 0, retries: 0, secondBegins: 0 };
  await fc.assert(
    fc.asyncProperty(scenario, async ({ config, steps, live, isResolverSlow }) => {
      using retried = recordEvents("executor.retry");
      globalThis.resolveNodes = () => (isResolverSlow ? Promise.resolve(names) : names);
      const nodesOf = Array.isArray(config.nodes) ? [...config.nodes] : config.nodes;
      const shared = { requestType: "get", mfa: "users.get", nodesTtlMs: 0 } as const;
      const started = await pipelineOf({ ...shared, ...config, nodes: nodesOf as never });
      const { nodes, request, sent, replies, clock, running } = started;
      nodes.up(...live);
      const witnesses: Witness[] = [];
      const look = async () => {
        await settled();
        for (const each of nodes.sent.slice(witnesses.length)) {
          // One that breaks while it is sent something may have begun it.
          witnesses.push(new Witness(each, nodes.refusing.has(each.node) && !nodes.throwing.has(each.node)));
        }
      };

      const { calls } = request("get");
      await look();
      for (const each of steps) {
        if (each === "succeeds") witnesses.at(-1)?.succeeds();
        else if (each === "sends a chunk") witnesses.at(-1)?.sendsChunk();
        else if (each === "speaks late") witnesses.slice(0, -1).at(-1)?.succeeds();
        else if (each === "is cancelled") calls.cancel("r1")?.();
        else if (each === "is stopped") calls.stopStream("r1")?.();
        else if (each === "is left by its client") calls.abortAll("disconnected");
        else if (typeof each === "string") throw new Error(each);
        else if ("failure" in each) witnesses.at(-1)?.fails(failures[each.failure] as [Failure, boolean]);
        else if ("waitMs" in each) await clock.advanceAsync(each.waitMs);
        else nodes.becomes(each.node, each.becomes);
        await look();
      }
      // What is left runs into its timeouts, and what is still to be retried then fails.
      for (const name of names) nodes.becomes(name, "down");
      await clock.advanceAsync(1_000_000);
      await look();

      const { responseType } = config;
      const isFinal = ({ response }: (typeof sent)[number]) =>
        responseType === "stream" ? !response.has_more : !response.async;
      const finals = sent.filter(isFinal);
      const isAcceptedNone = responseType === "none" && replies.length > 0;
      expect([finals.length, replies.length]).toEqual(isAcceptedNone ? [0, 1] : [1, 0]);
      expect(sent.at(-1)).toBe(finals[0]);
      expect(sent.filter(({ reply }) => reply !== null).length).toBe(isAcceptedNone ? 0 : 1);
      expect([running.size, calls.size, clock.pending]).toEqual([0, 0, 0]);

      const retries = retried.messages.length;
      const allowed = responseType === "stream" ? 0 : (retryPlan(config.retry)?.retries ?? 0);
      expect(retries).toBeLessThanOrEqual(allowed);
      const questions = witnesses.filter(({ isQuestion }) => isQuestion);
      const runs = witnesses.filter(({ isQuestion }) => !isQuestion);
      // Only the last of the questions may have begun, and only one of the runs of each retry.
      expect(questions.slice(0, -1).filter(({ begun }) => begun)).toEqual([]);
      expect(new Set(questions.map(({ node }) => node)).size).toBe(questions.length);
      const begun = runs.filter((run) => run.begun).length;
      expect(begun).toBeLessThanOrEqual(retries + 1);
      expect(runs.length).toBeLessThanOrEqual((retries + 1) * names.length);
      seen.answers += finals.length;
      seen.retries += retries;
      if (runs.length - 1 > retries) seen.fallbacks++;
      if (begun > 1) seen.secondBegins++;
    }),
    { numRuns: 3_000 },
  );
  // The scenarios are those that it is about.
  expect(seen.answers).toBeGreaterThan(1_500);
  expect(seen.fallbacks).toBeGreaterThan(150);
  expect(seen.retries).toBeGreaterThan(300);
  expect(seen.secondBegins).toBeGreaterThan(50);
});
