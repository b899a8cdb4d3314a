import { describe, expect, test } from "vitest";
import { eventNames } from "../../../src/telemetry/event-names.ts";
import { openLog } from "../../../src/telemetry/log/log.ts";
import { type LogLevel, levelOf, levelsOf, logLevels, logLines } from "../../../src/telemetry/log/log-lines.ts";
import { recordOf } from "../../../src/telemetry/log/log-record.ts";
import type { Logger } from "../../../src/telemetry/log/logger.ts";
import { prettyLine } from "../../../src/telemetry/log/pretty-line.ts";
import { type EventName, type TelemetryMessage, telemetryEvent } from "../../../src/telemetry/telemetry.ts";
import { recordEvents } from "../../support/record-events.ts";
import { settled } from "../../support/simulated-clock.ts";

interface Line {
  readonly level: LogLevel;
  readonly record: Readonly<Record<string, unknown>>;
  readonly message: string;
}

function listLogger(isLevelEnabled?: Logger["isLevelEnabled"]): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const write = (level: LogLevel) => (record: object, message: string) =>
    void lines.push({ level, record: { ...record }, message });
  const methods = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  return { lines, ...methods, ...(isLevelEnabled === undefined ? {} : { isLevelEnabled }) };
}

const stray = telemetryEvent("worker_pool.thread.stray_error");
const join = telemetryEvent("channel.join");
const nodeUp = telemetryEvent("node.up");
const leave = telemetryEvent("channel.leave");
const request = telemetryEvent("executor.request.start");

const topic = { gateway: "g", connection: "c1", topic: "api:lobby" };

describe("a log", () => {
  test("is one line for each event, with its measurements and metadata by name", async () => {
    const logger = listLogger();
    const close = await openLog(logger);
    join.emit({ duration_us: 250 }, { ...topic, accepted: true });
    nodeUp.emit({ system_time: 1 }, { gateway: "g", node: "n", services: ["s", "t"], peer: "127.0.0.1:1" });
    close();
    join.emit({ duration_us: 250 }, { ...topic, accepted: true });
    expect(logger.lines).toEqual([
      {
        level: "info",
        record: { event: "channel.join", ...topic, accepted: true, duration_us: 250 },
        message: "Join answered",
      },
      {
        level: "info",
        record: {
          event: "node.up",
          gateway: "g",
          node: "n",
          services: ["s", "t"],
          peer: "127.0.0.1:1",
          system_time: 1,
        },
        message: "Node connected",
      },
    ]);
  });

  test("has an error with its stack, and those of its causes, at level error", async () => {
    const logger = listLogger();
    const close = await openLog(logger);
    const error = new TypeError("broken", { cause: new Error("behind") });
    stray.emit({ system_time: 1 }, { program: "gateway", pool: "async_pool", error });
    close();
    const [{ level, record } = expect.fail("no line")] = logger.lines;
    expect(level).toBe("error");
    expect(record.error).toMatchObject({ type: "TypeError", message: "broken" });
    const { stack } = record.error as { stack: string };
    expect(stack).toMatch(/^TypeError: broken\n {4}at [\s\S]*\ncaused by: Error: behind\n {4}at /);
  });

  test("does not listen to events whose level is not enabled", async () => {
    const logger = listLogger((level) => level !== "debug");
    const close = await openLog(logger);
    expect(request.active).toBe(false);
    expect(stray.active).toBe(true);
    leave.emit({ system_time: 1 }, topic);
    close();
    expect(logger.lines).toEqual([]);
  });

  test("of two programs with one logger has no line twice, and goes on until both have ended", async () => {
    const logger = listLogger();
    const closeFirst = await openLog(logger);
    const closeSecond = await openLog(logger);
    leave.emit({ system_time: 1 }, topic);
    closeFirst();
    closeFirst();
    leave.emit({ system_time: 2 }, topic);
    closeSecond();
    leave.emit({ system_time: 3 }, topic);
    expect(logger.lines.map(({ record }) => record.system_time)).toEqual([1, 2]);
    expect(eventNames.filter((name) => telemetryEvent(name).active)).toEqual([]);
  });

  test("whose logger throws loses that line and goes on, which is told once; it harms nobody", async () => {
    using failures = recordEvents("telemetry.handler.exception");
    const logger = listLogger();
    let isFull = true;
    const failing = {
      ...logger,
      info: (record: object, message: string) => {
        if (isFull) throw new Error("disk full");
        logger.info(record, message);
      },
    };
    const close = await openLog(failing);
    expect(() => join.emit({ duration_us: 1 }, { ...topic, accepted: true })).not.toThrow();
    join.emit({ duration_us: 2 }, { ...topic, accepted: true });
    expect(failures.messages).toMatchObject([{ metadata: { error: { message: "disk full" } } }]);
    isFull = false;
    join.emit({ duration_us: 3 }, { ...topic, accepted: true });
    close();
    const logged = logger.lines.map(({ record }) => record as { duration_us?: number });
    expect(logged.flatMap(({ duration_us }) => duration_us ?? [])).toEqual([3]);
  });
});

test("of clients that `connect` fails for, ten a minute are errors with a stack, the rest what refusals are", async () => {
  const logger = listLogger();
  const close = await openLog(logger);
  const refuse = telemetryEvent("connection.refuse");
  const refused = { gateway: "g", ip_address: "127.0.0.1", reason: "connect threw", error: new Error("no database") };
  for (let count = 0; count < 15; count++) refuse.emit({ system_time: count }, { ...refused, status: 500 });
  refuse.emit({ system_time: 15 }, { ...refused, status: 403 });
  close();
  expect(logger.lines.map(({ level }) => level)).toEqual([
    ...Array.from({ length: 10 }, () => "error"),
    ...Array.from({ length: 6 }, () => "info"),
  ]);
  const stacks = logger.lines.map(({ record }) => "stack" in (record.error as object));
  expect(stacks).toEqual(logger.lines.map(({ level }) => level === "error"));
});

describe("a log whose logger is asynchronous", () => {
  test("and whose promises reject loses those lines and goes on, which is told once in a row", async () => {
    using failures = recordEvents("telemetry.handler.exception");
    const logger = listLogger();
    let isFull = true;
    const write = async (record: object, message: string) => {
      if (isFull) throw new Error("log server is down");
      logger.info(record, message);
    };
    const close = await openLog({ ...logger, info: write, error: write });
    const log = async (duration_us: number) => {
      join.emit({ duration_us }, { ...topic, accepted: true });
      await settled();
    };
    join.emit({ duration_us: 1 }, { ...topic, accepted: true });
    await log(2);
    await log(3);
    expect(failures.messages).toMatchObject([
      { metadata: { handled_event: "channel.join", error: { message: "log server is down" } } },
    ]);
    isFull = false;
    await log(4);
    isFull = true;
    await log(5);
    close();
    expect(logger.lines.map(({ record }) => record.duration_us)).toEqual([4]);
    expect(failures.messages).toHaveLength(2);
  });
});

describe("the lines", () => {
  test("have a message of their own for each event", () => {
    const messages = eventNames.map((name) => logLines[name].message);
    expect(new Set(messages).size).toBe(messages.length);
  });

  test("of what happens for each request are debug, of faults errors", () => {
    for (const name of eventNames) {
      if (/\.(start|check|cleanup)$/.test(name)) expect(levelsOf(name), name).toEqual(["debug"]);
    }
    const exit = (reason: string) =>
      levelOf({ event: "supervisor.child.exit", metadata: { reason } } as TelemetryMessage<"supervisor.child.exit">);
    expect(["normal", "shutdown", "killed", "error"].map(exit)).toEqual(["debug", "debug", "debug", "error"]);
    expect(logLevels).toEqual(["debug", "info", "warn", "error"]);
  });
});

describe("a record", () => {
  const recordFor = (metadata: object, event: EventName = "connection.refuse") =>
    recordOf({ event, measurements: { system_time: 1 }, metadata } as unknown as TelemetryMessage, "error");

  test("leaves out objects, nulls, functions and what is not text in a list", () => {
    const metadata = {
      gateway: "g",
      params: { a: "SECRET" },
      node: null,
      run: () => "SECRET",
      list: ["a", { b: 1 }, 2],
    };
    expect(recordFor(metadata)).toEqual({ event: "connection.refuse", gateway: "g", list: ["a"], system_time: 1 });
  });

  test("is bounded, whatever clients send", () => {
    const long = "x".repeat(100_000);
    const error = Object.assign(new Error(long), { name: long, stack: long, cause: new Error(long) });
    const record = recordFor({ topic: long, list: Array.from({ length: 1_000 }, () => long), error });
    expect(JSON.stringify(record).length).toBeLessThan(25_000);
    expect(record.topic).toBe(`${"x".repeat(499)}…`);
  });

  test("survives errors whose properties throw, lie or go round in circles", () => {
    const hostile = new Error("x");
    // The stack first: making it reads the others.
    for (const name of ["stack", "name", "message", "cause"]) {
      Object.defineProperty(hostile, name, {
        get() {
          throw new Error("SECRET");
        },
      });
    }
    const circular = new Error("round");
    circular.cause = circular;
    const lying = Object.assign(new Error("x"), { name: { a: 1 }, stack: 7, secret: "SECRET", toJSON: () => "SECRET" });
    for (const error of [hostile, circular, lying]) {
      const text = JSON.stringify(recordFor({ error }));
      expect(text).not.toContain("SECRET");
      expect(text.length).toBeLessThan(10_000);
    }
  });
});

describe("a line in a terminal", () => {
  const line = (fields: object) =>
    JSON.stringify({
      level: 40,
      time: Date.UTC(2026, 0, 1, 12),
      pid: 1,
      hostname: "h",
      event: "x",
      msg: "Held",
      ...fields,
    });

  test("has time, level, message and fields", () => {
    expect(prettyLine(line({ name: "s.f", duration_us: 60_000, reason: "so it is", system_time: 1 }), false)).toBe(
      '12:00:00.000 WARN  Held  name=s.f  duration_us=60000  reason="so it is"\n',
    );
    expect(prettyLine(line({}), true)).toBe("12:00:00.000 \u001B[33mWARN \u001B[0m Held\n");
  });

  test("has an error below it", () => {
    expect(prettyLine(line({ error: { type: "E", message: "m", stack: "E: m\n    at f" } }), false)).toBe(
      "12:00:00.000 WARN  Held\n    E: m\n        at f\n",
    );
    expect(prettyLine(line({ error: { type: "E", message: "m" } }), false)).toBe("12:00:00.000 WARN  Held\n    E: m\n");
  });

  test("cannot be steered by what clients send", () => {
    const hostile = "a\u001B[2J\u0007\u009B31m\r\n\u202Eb";
    const text = prettyLine(line({ topic: hostile, error: { type: "E", message: hostile, stack: hostile } }), false);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202E]/);
    expect(text.split("\n")).toHaveLength(4);
  });
});
