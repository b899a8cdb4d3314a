import { describe, expect, test } from "vitest";
import { type LineOutput, LineWriter } from "../../../src/telemetry/log/line-writer.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const failure = (code: string) => Object.assign(new Error(`${code}: told by a test`), { code });

/** An output that keeps what is written, as soon as the test lets it. */
class FakeOutput implements LineOutput {
  text = "";
  #pending: { bytes: Buffer; done: Parameters<LineOutput["write"]>[1] } | undefined;
  /** What each further call of writeSync does: throws the error, or takes at most so many bytes. */
  readonly sync: (Error | number)[] = [];

  write(bytes: Buffer, done: Parameters<LineOutput["write"]>[1]): void {
    if (this.#pending !== undefined) throw new Error("two writes at once");
    this.#pending = { bytes, done };
  }

  writeSync(bytes: Buffer): number {
    const next = this.sync.shift() ?? bytes.length;
    if (typeof next !== "number") throw next;
    return this.#keep(bytes, next);
  }

  get isWriting(): boolean {
    return this.#pending !== undefined;
  }

  /** Ends the write that is under way: with an error, or by taking at most so many bytes. */
  settle(outcome: Error | number = Number.POSITIVE_INFINITY): void {
    const { bytes, done } = this.#pending ?? expect.fail("nothing is written");
    this.#pending = undefined;
    if (typeof outcome === "number") done(null, this.#keep(bytes, outcome));
    else done(outcome, 0);
  }

  /** Lets every write be, until there is none. */
  settleAll(): void {
    while (this.isWriting) this.settle();
  }

  #keep(bytes: Buffer, count: number): number {
    const taken = bytes.subarray(0, count);
    this.text += taken.toString();
    return taken.length;
  }
}

function make() {
  const output = new FakeOutput();
  const clock = new SimulatedClock();
  return { output, clock, lines: new LineWriter(output, clock) };
}

describe("lines", () => {
  test("are written one batch at a time, in order, whatever part of a batch is taken", () => {
    const { output, lines } = make();
    for (const line of ["a\n", "b\n", "c\n"]) lines.write(line);
    output.settle();
    expect(output.text).toBe("a\n");
    output.settle(1);
    lines.write("d\n");
    output.settleAll();
    expect(output.text).toBe("a\nb\nc\nd\n");
    lines.write("e\n");
    output.settleAll();
    expect(output.text).toBe("a\nb\nc\nd\ne\n");
  });

  test.each([
    ["ENOSPC", 1_000],
    ["EIO", 1_000],
    ["EPIPE", 1_000],
    ["EAGAIN", 5],
  ])("wait after %s, are tried again every %i ms, and come whole and in order", (code, ms) => {
    using told = recordEvents("log.lost");
    const { output, clock, lines } = make();
    lines.write("first\n");
    output.settle(2);
    output.settle(failure(code));
    lines.write("second\n");
    clock.advance(ms - 1);
    expect(output.isWriting).toBe(false);
    clock.advance(1);
    output.settle(failure(code));
    clock.advance(ms);
    output.settleAll();
    expect(output.text).toBe("first\nsecond\n");
    expect(clock.pending).toBe(0);
    expect(told.messages).toEqual([]);
  });

  test("beyond a megabyte are lost, which is told when the others can be written", () => {
    using told = recordEvents("log.lost");
    const { output, clock, lines } = make();
    const kilobyte = `${"x".repeat(1_023)}\n`;
    lines.write("first\n");
    const full = failure("ENOSPC");
    output.settle(full);
    for (let count = 0; count < 1_024 + 7; count++) lines.write(kilobyte);
    expect(told.messages).toEqual([]);
    clock.advance(1_000);
    output.settle();
    expect(told.messages).toMatchObject([{ measurements: { count: 7 }, metadata: { error: full } }]);
    lines.write("last\n");
    output.settleAll();
    expect(output.text).toBe(`first\n${kilobyte.repeat(1_024)}last\n`);
    expect(told.messages).toHaveLength(1);
  });

  test("that wait because the output is only slow are lost beyond a megabyte too, without an error", () => {
    using told = recordEvents("log.lost");
    const { output, lines } = make();
    lines.write("first\n");
    lines.write("x".repeat(1_048_576));
    lines.write("lost\n");
    output.settleAll();
    expect(told.messages).toMatchObject([{ measurements: { count: 1 }, metadata: { error: null } }]);
  });
});

describe("at the end of the process", () => {
  test("what waits is written at once, but for what a thread is writing", () => {
    const { output, lines } = make();
    lines.write("by the thread\n");
    lines.write("waits\n");
    lines.write("waits too\n");
    output.sync.push(3, failure("EAGAIN"));
    lines.flushSync();
    expect(output.text).toBe("waits\nwaits too\n");
  });

  test("what could not be written is tried once more, and not again later", () => {
    const { output, clock, lines } = make();
    lines.write("first\n");
    output.settle(failure("ENOSPC"));
    lines.write("second\n");
    lines.flushSync();
    clock.advance(1_000);
    expect([output.text, output.isWriting]).toEqual(["first\nsecond\n", false]);
  });

  test("lines that nobody takes hold it up for a second at most", () => {
    const { output, clock, lines } = make();
    lines.write("first\n");
    output.settle(failure("EAGAIN"));
    output.sync.push(...Array.from({ length: 1_000 }, () => failure("EAGAIN")));
    lines.flushSync();
    expect(output.sync).toHaveLength(800);
    lines.write("later\n");
    lines.flushSync();
    expect(output.sync).toHaveLength(800);
    clock.advance(1_000);
    expect([output.text, output.isWriting]).toEqual(["", false]);
  });

  test("lines whose reader is gone are lost at once", () => {
    const { output, clock, lines } = make();
    lines.write("first\n");
    output.settle(failure("EPIPE"));
    output.sync.push(failure("EPIPE"));
    lines.flushSync();
    expect(output.sync).toEqual([]);
    clock.advance(1_000);
    expect([output.text, output.isWriting]).toEqual(["", false]);
  });

  test("what is written after that, by those who end later, is written at once", () => {
    const { output, lines } = make();
    lines.flushSync();
    lines.write("last words\n");
    expect(output.text).toBe("last words\n");
  });
});
