import { channel } from "node:diagnostics_channel";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { GenApiError, isGenApiError } from "../../src/core/errors.ts";
import type { ServiceFunction } from "../../src/execution/load-function.ts";
import { type Hook, type HookContext, runAfterHook, runBeforeHook } from "../../src/policy/hooks.ts";
import { RequestTrace } from "../../src/telemetry/request-trace.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

const request = { requestId: "r1", args: { msg: "x" } };
const funConfig = { requestType: "echo" };
const response = { result: "x" };

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const acceptBefore = {
  request: (value: unknown) => (isRecord(value) && isRecord(value.args) ? (value as typeof request) : null),
  funConfig: (value: unknown) => (isRecord(value) && "requestType" in value ? (value as typeof funConfig) : null),
};
const acceptResponse = (value: unknown) => (isRecord(value) && "result" in value ? (value as typeof response) : null);

function hook(run: ServiceFunction, args: unknown[] = []): Hook {
  return { name: "hooks.test", loaded: { run }, args, timeoutMs: 200 };
}

function context(clock = new SimulatedClock()): HookContext & { clock: SimulatedClock } {
  const identity = {
    gateway: "g",
    request_id: "r1",
    service: "s",
    request_type: "echo",
    version: null,
    response_type: "sync",
    user_id: null,
    trace: new RequestTrace(null),
  };
  return { clock, identify: () => identity };
}

const runBefore = (run: ServiceFunction, args?: unknown[], at = context()) =>
  runBeforeHook(hook(run, args), request, funConfig, acceptBefore, at);
const runAfter = (run: ServiceFunction, args?: unknown[], at = context()) =>
  runAfterHook(hook(run, args), request, funConfig, response, acceptResponse, response, at);

// biome-ignore lint/suspicious/noThenProperty: hooks may return thenables of somebody's own
const thenable = (then: unknown) => Object.fromEntries([["then", then]]);

const unchanged = { request, funConfig };

function rejection(outcome: unknown): string {
  if (!isGenApiError(outcome)) expect.fail(`went on with ${JSON.stringify(outcome)}`);
  expect(outcome.code).toBe("hook_rejected");
  expect(outcome.canRetry).toBe(false);
  return outcome.message;
}

describe("a before hook", () => {
  it("gets the request, its FunConfig, and its own arguments after them", () => {
    const seen: unknown[] = [];
    runBefore((...args) => void seen.push(...args), ["tag", 2]);
    expect(seen).toEqual([request, funConfig, "tag", 2]);
  });

  it("changes the request, the FunConfig, or both", () => {
    const other = { requestId: "r1", args: { msg: "y" } };
    const config = { requestType: "other" };
    expect(runBefore(() => ({ request: other }))).toEqual({ request: other, funConfig });
    expect(runBefore(() => ({ funConfig: config }))).toEqual({ request, funConfig: config });
    expect(runBefore(() => ({ request: other, funConfig: config }))).toEqual({ request: other, funConfig: config });
  });

  it.each([
    undefined,
    null,
    true,
    false,
    "ok",
    5,
    [],
    {},
    { request: 5, funConfig: null },
    { request: { args: 1 } },
    () => 1,
  ])("changes nothing by returning %j", (value) => {
    expect(runBefore(() => value)).toEqual(unchanged);
  });

  it("is not waited for where it returns no promise", () => {
    expect(runBefore(() => undefined)).not.toBeInstanceOf(Promise);
    expect(runBefore(() => thenable("no function"))).toEqual(unchanged);
  });

  it("is waited for where it returns one", async () => {
    const other = { requestId: "r1", args: {} };
    await expect(runBefore(async () => ({ request: other }))).resolves.toEqual({ request: other, funConfig });
    const ofSomebodysOwn = thenable((resolve: (value: unknown) => void) => resolve(undefined));
    await expect(runBefore(() => ofSomebodysOwn)).resolves.toEqual(unchanged);
  });

  it("refuses by throwing, and its words reach the client", async () => {
    const throwing = (thrown: unknown) => () => {
      throw thrown;
    };
    expect(rejection(runBefore(throwing(new GenApiError("quota", "No quota left"))))).toBe(
      "hook rejected: No quota left",
    );
    expect(rejection(runBefore(throwing(new Error("hook boom"))))).toBe("hook rejected: hook boom");
    expect(rejection(runBefore(throwing("hook boom")))).toBe("hook rejected: hook boom");
    expect(rejection(runBefore(throwing(new TypeError(""))))).toBe("hook rejected: TypeError");
    expect(rejection(runBefore(throwing(undefined)))).toMatch(/^hook rejected: A value other than an Error was thrown/);
    expect(rejection(await runBefore(() => Promise.reject(new Error("later"))))).toBe("hook rejected: later");
  });

  it("keeps what was thrown as the cause", () => {
    const thrown = new Error("hook boom");
    const outcome = runBefore(() => {
      throw thrown;
    });
    expect(outcome).toMatchObject({ cause: thrown });
  });

  it("refuses when it takes longer than its timeout, and not before", async () => {
    const at = context();
    const outcome = runBefore(() => new Promise(() => undefined), [], at);
    let isOver = false;
    void Promise.resolve(outcome).then(() => {
      isOver = true;
    });
    at.clock.advance(199);
    await settled();
    expect(isOver).toBe(false);
    at.clock.advance(1);
    expect(rejection(await outcome)).toBe("hook rejected: timed out after 200 ms");
  });

  it("refuses when reading what it returned throws", async () => {
    const trap = Object.defineProperty({}, "request", {
      get: () => {
        throw new Error("trap");
      },
    });
    expect(rejection(runBefore(() => trap))).toBe("hook rejected: trap");
    expect(rejection(await runBefore(async () => trap))).toBe("hook rejected: trap");
  });
});

it("a hook that is done leaves no timer", async () => {
  const at = context();
  await Promise.all([runBefore(async () => 1, [], at), runAfter(() => Promise.reject(new Error("later")), [], at)]);
  expect(at.clock.pending).toBe(0);
});

describe("an after hook", () => {
  it("gets the request, its FunConfig and the response, and its own arguments after them", () => {
    const seen: unknown[] = [];
    runAfter((...args) => void seen.push(...args), ["tag"]);
    expect(seen).toEqual([request, funConfig, response, "tag"]);
  });

  it("replaces the response by another", async () => {
    expect(runAfter(() => ({ result: "other" }))).toEqual({ result: "other" });
    await expect(runAfter(async () => ({ result: "other" }))).resolves.toEqual({ result: "other" });
  });

  it.each([undefined, null, true, "ok", 5, [], {}])("lets it stand by returning %j", (value) => {
    expect(runAfter(() => value)).toBe(response);
  });

  it("lets it stand when it throws, rejects or takes too long", async () => {
    const at = context();
    expect(
      runAfter(() => {
        throw new Error("hook boom");
      }),
    ).toBe(response);
    expect(await runAfter(() => Promise.reject(new Error("later")))).toBe(response);
    const outcome = runAfter(() => new Promise(() => undefined), [], at);
    at.clock.advance(200);
    expect(await outcome).toBe(response);
  });
});

describe("whatever a hook does and when", () => {
  const ends = ["return", "throw", "resolve", "reject", "never"] as const;

  it("there is one outcome, in time, and no timer is left", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ends),
        fc.integer({ min: 0, max: 400 }),
        fc.boolean(),
        async (end, afterMs, isBefore) => {
          const at = context();
          const run = () => {
            if (end === "return") return { request: 1 };
            if (end === "throw") throw new Error("thrown");
            return new Promise((resolve, reject) => {
              if (end === "resolve") at.clock.setTimeout(() => resolve(undefined), afterMs);
              if (end === "reject") at.clock.setTimeout(() => reject(new Error("rejected")), afterMs);
            });
          };
          const outcomes: unknown[] = [];
          void Promise.resolve(isBefore ? runBefore(run, [], at) : runAfter(run, [], at)).then((outcome) =>
            outcomes.push(outcome),
          );
          await at.clock.advanceAsync(199);
          await at.clock.advanceAsync(1);
          expect(outcomes).toHaveLength(1);
          await at.clock.advanceAsync(300);
          expect(outcomes).toHaveLength(1);
          const late = end === "never" || ((end === "resolve" || end === "reject") && afterMs > 200);
          if (!isBefore) expect(outcomes).toEqual([response]);
          else if (late) expect(rejection(outcomes[0])).toMatch("timed out");
          else if (end === "throw" || (end === "reject" && afterMs < 200))
            expect(rejection(outcomes[0])).toMatch(/thrown|rejected$/);
          else if (end !== "reject" && afterMs < 200) expect(outcomes).toEqual([unchanged]);
          expect(at.clock.pending).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("telemetry", () => {
  const heard: { event: string; metadata: Record<string, unknown>; measurements: Record<string, unknown> }[] = [];
  const listen = (message: unknown) => void heard.push(message as (typeof heard)[number]);
  const channels = ["before", "after"].flatMap((phase) =>
    ["start", "stop", "exception"].map((end) => channel(`gen_api.hook.${phase}.${end}`)),
  );

  afterEach(() => {
    for (const each of channels) each.unsubscribe(listen);
    heard.length = 0;
  });

  it("tells start and stop, or start and exception with the error, once each", async () => {
    for (const each of channels) each.subscribe(listen);
    const at = context();
    runBefore(() => undefined, [], at);
    const slow = runAfter(() => new Promise((resolve) => at.clock.setTimeout(() => resolve(1), 300)), [], at);
    at.clock.advance(200);
    await slow;
    at.clock.advance(200);
    await Promise.resolve();
    expect(heard.map(({ event }) => event)).toEqual([
      "hook.before.start",
      "hook.before.stop",
      "hook.after.start",
      "hook.after.exception",
    ]);
    expect(heard[0]?.metadata).toMatchObject({ service: "s", request_id: "r1", hook: "hooks.test" });
    expect(heard[3]?.measurements).toEqual({ duration_us: 200_000 });
    expect(heard[3]?.metadata.error).toMatchObject({ message: "timed out after 200 ms" });
  });

  it("asks for nobody's identity while nobody listens", () => {
    const at = { clock: new SimulatedClock(), identify: () => expect.fail("asked") };
    expect(runBefore(() => undefined, [], at)).toEqual(unchanged);
  });
});
