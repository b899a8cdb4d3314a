import { expect, test } from "vitest";
import { ResolvedNodes } from "../../src/call/functions/resolved-nodes.ts";
import { mainThread } from "../../src/call/main-thread.ts";
import { parseFunConfig } from "../../src/config/fun-config.ts";
import { streamOnMain } from "../../src/execution/stream-on-main.ts";
import { runAfterHook, runBeforeHook } from "../../src/policy/hooks.ts";
import { askToJoin } from "../../src/socket/channels/ask-to-join.ts";
import { resolveChannel } from "../../src/socket/channels/channel.ts";
import { authenticate } from "../../src/socket/handshake/authenticate.ts";
import { recordEvents } from "../support/record-events.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

/** Runs something of a host's that takes so long, in each of the places where a host's code is called. */
const places: Record<string, (hold: () => void, clock: SimulatedClock) => unknown> = {
  "function s.f": (hold, clock) => runMain(hold, clock),
  "function s.f that throws": (hold, clock) =>
    runMain(() => {
      hold();
      throw new Error("x");
    }, clock),
  "stream s.f": (hold, clock) =>
    runStream(function* () {
      hold();
      yield 1;
    }, clock),
  "stream s.f of promises": (hold, clock) =>
    runStream(async function* () {
      hold();
      yield 1;
    }, clock),
  "stream s.f in a later chunk": async (hold, clock) => {
    await runStream(async function* () {
      yield 1;
      await new Promise(setImmediate);
      yield 2;
      hold();
    }, clock);
  },
  "hook m.h": (hold, clock) => runBeforeHook(hookOf(hold), {}, {}, nothing, contextOf(clock)),
  "hook m.h after": (hold, clock) => runAfterHook(hookOf(hold), {}, {}, {}, () => null, {}, contextOf(clock)),
  "resolver m.h": (hold, clock) => {
    const config = parseFunConfig({ service: "s", requestType: "f", mfa: "m.f", nodes: "local", timeout: 1_000 });
    const resolver = { ...hookOf(hold), loaded: { run: () => [hold()].slice(1) } };
    return new ResolvedNodes("s/f", resolver, config, "g", clock).names();
  },
  "connect /socket": (hold, clock) => {
    const connect = () => {
      hold();
      return null;
    };
    const options = { connect, path: "/socket", connectTimeoutMs: 1_000 };
    type Given = Parameters<typeof authenticate>;
    const request = { params: {} } as Given[0];
    const { signal } = new AbortController();
    const upgrade = { signal, givenUp: new Promise<never>(() => undefined), giveUp: () => undefined };
    return authenticate(request, options as unknown as Given[1], { name: "g", clock }, upgrade);
  },
  "join api:lobby": (hold, clock) => {
    const channel = resolveChannel({ topic: "api:*", event: "api", join: () => hold() });
    const request = { topic: "api:lobby", payload: {} } as Parameters<typeof askToJoin>[1];
    return new Promise((resolve) => askToJoin(channel, request, { name: "g", clock }, 1_000, resolve));
  },
};

const nothing = { request: () => null, funConfig: () => null };
const answers = { succeeded: () => undefined, failed: () => undefined };
const call = { service: "s", requestType: "f", args: [], identity: null, maxResultBytes: 100 };

function runMain(main: () => void, clock: SimulatedClock) {
  const attempt = { ...call, ...answers, main: { run: main } } as unknown as Parameters<
    ReturnType<typeof mainThread>["run"]
  >[0];
  return mainThread({ name: "g", clock }).run(attempt);
}

function runStream(run: () => unknown, clock: SimulatedClock): Promise<void> {
  return new Promise((resolve) => {
    const stream = { ...call, chunk: () => undefined, ended: () => resolve(), failed: () => resolve() };
    streamOnMain(run, stream, { name: "g", clock });
  });
}

const hookOf = (hold: () => void) => ({ name: "m.h", loaded: { run: () => hold() }, args: [], timeoutMs: 1_000 });

function contextOf(clock: SimulatedClock) {
  const identity = { gateway: "g" } as ReturnType<Parameters<typeof runBeforeHook>[4]["identify"]>;
  return { clock, identify: () => identity };
}

for (const [place, run] of Object.entries(places)) {
  test(`what holds the event loop for 50 ms is named, with its time: ${place}`, async () => {
    using held = recordEvents("loop.held");
    const clock = new SimulatedClock();
    await run(() => clock.advance(49.9), clock);
    expect(held.messages).toEqual([]);
    await run(() => clock.advance(50), clock);
    const [holder, name] = place.split(" ");
    expect(held.messages).toMatchObject([
      { measurements: { duration_us: 50_000 }, metadata: { program: "g", holder, name } },
    ]);
  });
}

test("nothing is measured while nobody listens to it", () => {
  const clock = new SimulatedClock();
  let reads = 0;
  const counting = Object.assign(Object.create(clock), { now: () => reads++ });
  runMain(() => undefined, counting);
  expect(reads).toBe(0);
  using _held = recordEvents("loop.held");
  runMain(() => undefined, counting);
  expect(reads).toBe(2);
});
