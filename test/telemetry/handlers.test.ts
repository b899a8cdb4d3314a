import { channel } from "node:diagnostics_channel";
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { eventNames } from "../../src/telemetry/event-names.ts";
import { type EventName, type TelemetryMessage, telemetryEvent } from "../../src/telemetry/telemetry.ts";
import { type EventPattern, Telemetry } from "../../src/telemetry/telemetry-api.ts";
import { recordEvents } from "../support/record-events.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const clock = new SimulatedClock();
const telemetry = new Telemetry(clock);
const cleared = telemetryEvent("config.clear");
const batchAdded = telemetryEvent("config.batch_add");

const isListenedTo = (name: EventName) => channel(`gen_api.${name}`).hasSubscribers;

afterEach(() => {
  expect(eventNames.filter(isListenedTo), "events that a test left a handler at").toEqual([]);
});

describe("a handler", () => {
  test("of one event receives it, typed, until it is detached", () => {
    const counts: number[] = [];
    const detach = telemetry.attach("config.clear", ({ event, measurements, metadata }) => {
      expectTypeOf(measurements).toEqualTypeOf<Readonly<{ count: number }>>();
      expectTypeOf(metadata).toEqualTypeOf<Readonly<{ gateway: string }>>();
      expect(event).toBe("config.clear");
      counts.push(measurements.count);
    });
    cleared.emit({ count: 1 }, { gateway: "g" });
    batchAdded.emit({ count: 2 }, { gateway: "g" });
    detach();
    detach();
    cleared.emit({ count: 3 }, { gateway: "g" });
    expect(counts).toEqual([1]);
  });

  test("of several events tells them apart by their name", () => {
    const seen: string[] = [];
    const handler = (message: TelemetryMessage<"config.clear" | "node.up">) => {
      if (message.event === "node.up") expectTypeOf(message.metadata.services).toEqualTypeOf<readonly string[]>();
      seen.push(message.event);
    };
    telemetry.attachMany(["config.clear", "node.up", "config.clear"], handler);
    cleared.emit({ count: 1 }, { gateway: "g" });
    expect(seen).toEqual(["config.clear"]);
    expect(telemetry.detach(handler)).toBe(true);
    expect(telemetry.detach(handler)).toBe(false);
  });

  test("is detached from everything that it was attached to", () => {
    let calls = 0;
    const handler = () => {
      calls++;
    };
    telemetry.attach("config.clear", handler);
    telemetry.attach("config.*", handler);
    cleared.emit({ count: 1 }, { gateway: "g" });
    expect(calls).toBe(2);
    telemetry.detach(handler);
    cleared.emit({ count: 1 }, { gateway: "g" });
    expect(calls).toBe(2);
  });

  test("that detaches itself, or others, takes the event from nobody else", () => {
    const seen: string[] = [];
    const detachFirst = telemetry.attach("config.clear", () => {
      seen.push("first");
      detachFirst();
      detachSecond();
    });
    const detachSecond = telemetry.attach("config.clear", () => void seen.push("second"));
    const detachThird = telemetry.attach("config.clear", () => void seen.push("third"));
    cleared.emit({ count: 1 }, { gateway: "g" });
    expect(seen).toEqual(["first", "third"]);
    cleared.emit({ count: 1 }, { gateway: "g" });
    expect(seen).toEqual(["first", "third", "third"]);
    detachThird();
    return Promise.resolve();
  });

  test.each([
    ["executor", ["executor.*"]],
    ["rate_limiter", ["rate_limiter.*", "rate_limiter.check"]],
    ["node|gateway", ["node.*", "gateway.*"]],
    ["[a-z_]+", [...telemetry.listEvents()]],
  ] as [string, EventPattern[]][])(
    "of a group is attached to all events of %s, and to nothing else",
    (group, patterns) => {
      const detach = telemetry.attachMany(patterns, () => undefined);
      const listened = eventNames.filter(isListenedTo);
      detach();
      expect(listened.length).toBeGreaterThan(3);
      expect(listened).toEqual(eventNames.filter((name) => new RegExp(`^(${group})\\.`).test(name)));
    },
  );

  test("needs an event that exists, and is a function", () => {
    const attach = (name: unknown, handler: unknown) => () =>
      telemetry.attach(name as EventName, handler as () => void);
    expect(attach("config.clera", () => undefined)).toThrow('There is no telemetry event "config.clera"');
    expect(attach("conf*", () => undefined)).toThrow('There is no telemetry event "conf*"');
    expect(attach("nothing.*", () => undefined)).toThrow('There is no telemetry event "nothing.*"');
    expect(attach("toString", () => undefined)).toThrow('There is no telemetry event "toString"');
    expect(attach("config.clear", "log")).toThrow('A telemetry handler must be a function, got "log"');
  });
});

// biome-ignore lint/suspicious/noThenProperty: a handler may return anything
const unwaitable = Object.defineProperty({}, "then", {
  get() {
    throw new TypeError("broken");
  },
});

describe("a handler that fails", () => {
  test.each([
    [
      "throws",
      () => {
        throw new TypeError("broken");
      },
    ],
    [
      "throws what is no Error",
      () => {
        throw "broken";
      },
    ],
    ["rejects", () => Promise.reject(new TypeError("broken"))],
    ["returns what cannot be waited for", () => unwaitable],
  ])("because it %s is detached and told of, and nobody else notices", async (_, fail) => {
    using failures = recordEvents("telemetry.handler.exception");
    const seen: string[] = [];
    const failing = () => {
      seen.push("failing");
      return fail();
    };
    telemetry.attachMany(["config.clear", "config.batch_add"], failing);
    const detach = telemetry.attach("config.clear", () => void seen.push("other"));
    expect(() => cleared.emit({ count: 1 }, { gateway: "g" })).not.toThrow();
    await new Promise(setImmediate);
    cleared.emit({ count: 1 }, { gateway: "g" });
    batchAdded.emit({ count: 1 }, { gateway: "g" });
    detach();
    expect(seen).toEqual(["failing", "other", "other"]);
    expect(failures.messages).toHaveLength(1);
    expect(failures.messages[0]).toMatchObject({
      metadata: { handled_event: "config.clear", error: { message: "broken" } },
    });
  });

  test("also at the event that tells of it ends nothing but itself", async () => {
    using failures = recordEvents("telemetry.handler.exception");
    for (const name of ["a", "b"]) {
      telemetry.attachAll(() => {
        throw new Error(name);
      });
    }
    cleared.emit({ count: 1 }, { gateway: "g" });
    await Promise.resolve();
    expect(failures.messages.map(({ metadata }) => (metadata as { error: Error }).error.message).toSorted()).toEqual([
      "a",
      "b",
    ]);
  });
});

describe("a span", () => {
  test("returns what its function returned, whoever listens, and calls no `then` but a promise's", () => {
    using _spans = recordEvents("span.stop");
    const promise = Object.assign(Promise.resolve(1), { kill: () => undefined });
    expect(telemetry.span("promise", {}, () => promise)).toBe(promise);
    let runs = 0;
    // biome-ignore lint/suspicious/noThenProperty: a query builder has one
    const query = { then: () => void runs++ };
    expect(telemetry.span("query", {}, () => query)).toBe(query);
    expect(runs).toBe(0);
  });

  const shape = ({ event, measurements, metadata }: TelemetryMessage) => ({ event, measurements, metadata });

  test("tells of its start and its end, and returns what it ran returned", () => {
    using spans = recordEvents("span.start", "span.stop", "span.exception");
    const result = telemetry.span("billing.charge", { plan: "basic" }, () => {
      clock.advance(12.5);
      return 42;
    });
    expect(result).toBe(42);
    const metadata = { span: "billing.charge", attributes: { plan: "basic" } };
    expect(spans.messages.map(shape)).toEqual([
      { event: "span.start", measurements: { system_time: clock.systemTime() - 12.5 }, metadata },
      { event: "span.stop", measurements: { duration_us: 12_500 }, metadata },
    ]);
  });

  test("waits for a promise", async () => {
    using spans = recordEvents("span.start", "span.stop");
    let resolve!: (value: string) => void;
    const promise = new Promise<string>((settle) => {
      resolve = settle;
    });
    const result = telemetry.span("slow", {}, () => promise);
    expectTypeOf(result).toEqualTypeOf<Promise<string>>();
    clock.advance(3);
    expect(spans.messages).toHaveLength(1);
    resolve("done");
    expect(await result).toBe("done");
    expect(spans.messages[1]).toMatchObject({ event: "span.stop", measurements: { duration_us: 3_000 } });
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("declined");
      },
    ],
    ["rejects", () => Promise.reject(new Error("declined"))],
  ])("that %s tells of the error, and passes it on", async (_, run) => {
    using spans = recordEvents("span.start", "span.stop", "span.exception");
    await expect((async () => telemetry.span("billing.charge", {}, run))()).rejects.toThrow("declined");
    expect(spans.messages.map(({ event }) => event)).toEqual(["span.start", "span.exception"]);
    expect(spans.messages[1]).toMatchObject({ metadata: { span: "billing.charge", error: { message: "declined" } } });
  });

  test("only runs what it is given while nobody listens", () => {
    const result = {};
    expect(telemetry.span("quiet", {}, () => result)).toBe(result);
  });
});
