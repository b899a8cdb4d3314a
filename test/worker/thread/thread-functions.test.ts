import type { MessagePort } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ThreadFunctions } from "../../../src/worker/thread/thread-functions.ts";
import { ThreadMarks } from "../../../src/worker/thread/thread-marks.ts";
import { ThreadOutbox } from "../../../src/worker/thread/thread-outbox.ts";
import { answer, createCells, slotState, viewCells } from "../../../src/worker/thread/thread-protocol.ts";
import { until } from "../../support/until.ts";

const held = globalThis as { heldImports?: Promise<void> };
let release: () => void = () => undefined;

beforeEach(() => {
  held.heldImports = new Promise((resolve) => {
    release = resolve;
  });
});
afterEach(() => {
  delete held.heldImports;
});

let modules = 0;
/** A module that nobody has imported yet; `waits`: its import ends when the test releases it. */
function moduleOf(waits: boolean, ending = "") {
  modules += 1;
  const wait = waits ? "await globalThis.heldImports;" : "";
  return `data:text/javascript,${wait}${ending}export const f = () => ${modules};`;
}

/** A thread's functions, and what the pool hears of them, as [answer, slot]. */
function open(...places: string[]) {
  const cells = viewCells(createCells(4));
  const { states } = cells;
  const heard: (readonly [unknown, unknown])[] = [];
  const port = {
    postMessage(entries: unknown[]) {
      for (let at = 0; at < entries.length; at += 3) heard.push([entries[at], entries[at + 1]]);
    },
  };
  const outbox = new ThreadOutbox(port as unknown as MessagePort, cells);
  const functions = new ThreadFunctions(outbox, new ThreadMarks(cells), () => undefined);
  for (const [number, module] of places.entries())
    functions.define(number, { module, moduleName: "m", function: "f", ofService: false });
  const begun: string[] = [];
  /** The pool sends a call in `slot`. */
  const call = (slot: number, number: number, name: string) => {
    states[slot] = slotState.sent;
    return functions.load(slot, functions.get(number), () => begun.push(name));
  };
  /** What the pool has heard of these slots' calls, flushed. */
  const answers = (...slots: number[]) => {
    outbox.flush();
    return heard.filter(([what, slot]) => slots.includes(slot as number) && what !== answer.importing);
  };
  return { functions, states, begun, call, answers };
}

describe("a call that waits for the import of its function", () => {
  test("begins when that has ended, as do all others that wait for it", async () => {
    const { begun, call, answers } = open(moduleOf(true));
    const calls = [call(1, 0, "first"), call(2, 0, "second")];
    expect(begun).toEqual([]);
    release();
    await Promise.all(calls);
    expect(begun).toEqual(["first", "second"]);
    expect(answers(1, 2)).toEqual([]);
  });

  test("frees its slot at once when it is taken back: the next call in it is served, and once", async () => {
    const { functions, begun, call, answers } = open(moduleOf(true), moduleOf(false));
    const first = call(1, 0, "first");
    functions.withdraw(1);
    expect(answers(1)).toEqual([[answer.withdrawn, 1]]);
    await call(1, 1, "second");
    expect(begun).toEqual(["second"]);
    release();
    await first;
    expect(begun).toEqual(["second"]);
    expect(answers(1)).toEqual([[answer.withdrawn, 1]]);
  });

  test("does not begin once it was taken back, though its import ends", async () => {
    const { functions, begun, call, answers } = open(moduleOf(true));
    const taken = call(1, 0, "taken back");
    functions.withdraw(1);
    functions.withdraw(1);
    release();
    await taken;
    expect([begun, answers(1)]).toEqual([[], [[answer.withdrawn, 1]]]);
  });

  test("is not mistaken for one before it in its slot that waited for the same import", async () => {
    const { functions, begun, call, answers } = open(moduleOf(true));
    const first = call(1, 0, "first");
    functions.withdraw(1);
    const second = call(1, 0, "second");
    release();
    await Promise.all([first, second]);
    expect(begun).toEqual(["second"]);
    expect(answers(1)).toEqual([[answer.withdrawn, 1]]);
  });

  test("is answered with the failure when that fails; or as taken back, where it was", async () => {
    const { states, begun, call, answers } = open(moduleOf(true, "throw new Error('no');"));
    const calls = [call(1, 0, "first"), call(2, 0, "second")];
    states[2] = slotState.withdrawn;
    release();
    await Promise.all(calls);
    expect(begun).toEqual([]);
    expect(answers(1, 2)).toEqual([
      [answer.failure, 1],
      [answer.withdrawn, 2],
    ]);
  });

  test("waits for nothing where the pool has taken it back before", async () => {
    const { functions, states, begun, answers } = open(moduleOf(false));
    states[1] = slotState.withdrawn;
    await functions.load(1, functions.get(0), () => begun.push("first"));
    expect([begun, answers(1)]).toEqual([[], [[answer.withdrawn, 1]]]);
  });
});

test("Taking back a call that does not wait any more says nothing", async () => {
  const { functions, call, answers } = open(moduleOf(false));
  await call(1, 0, "first");
  functions.withdraw(1);
  expect(answers(1)).toEqual([]);
});

test("A module that fails to be imported is told to the pool, whether for a call or ahead of all", async () => {
  const { functions, call, answers } = open(moduleOf(false, "throw new Error('no');"));
  await call(1, 0, "first");
  expect(answers(0).map(([what]) => what)).toEqual([answer.imported, answer.spoiled]);
  functions.preload(moduleOf(false, "throw new Error('no');"));
  await until(() => answers(0).length === 3);
  expect(answers(0).at(-1)).toEqual([answer.spoiled, 0]);
});
