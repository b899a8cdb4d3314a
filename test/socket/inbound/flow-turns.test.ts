import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { type Flow, FlowTurn, Turns } from "../../../src/socket/inbound/flow-turns.ts";

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));

// On a busy machine any piece may take longer than it says: the pieces themselves move this clock.
let now: number;
let clock: MockInstance<() => number>;
beforeEach(() => {
  now = 0;
  clock = vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => clock.mockRestore());

/** Work in pieces, each of which takes so long. */
class Work implements Flow {
  readonly turn: FlowTurn;
  pieceMs: number;
  readonly #done: () => void;
  left: number;

  constructor(pieces: number, pieceMs: number, done: () => void = () => undefined, identity = "one") {
    this.turn = new FlowTurn(identity);
    this.left = pieces;
    this.pieceMs = pieceMs;
    this.#done = done;
  }

  step(): boolean {
    now += this.pieceMs;
    this.left--;
    this.#done();
    return this.left > 0;
  }
}

test("work is done at once while the turn of the event loop has time, and all of it in the end", async () => {
  const turns = new Turns();
  const small = new Work(3, 0);
  turns.ready(small);
  expect(small.left).toBe(0);
  const large = Array.from({ length: 5 }, () => new Work(40, 0.1));
  for (const work of large) turns.ready(work);
  expect(large.some(({ left }) => left > 0)).toBe(true);
  for (let loops = 0; large.some(({ left }) => left > 0); loops++) {
    expect(loops).toBeLessThan(200);
    await turnOfTheLoop();
  }
});

test("who has used little goes before those who have used much, whoever of them came first", async () => {
  const turns = new Turns();
  let pieces = 0;
  const heavy = Array.from({ length: 50 }, () => new Work(1_000, 0.6, () => pieces++));
  for (const work of heavy) turns.ready(work);
  // Until each of them is known for what it is.
  while (heavy.some(({ left }) => left === 1_000)) await turnOfTheLoop();
  let servedAt = Number.NaN;
  const before = pieces;
  const light = new Work(1, 0, () => {
    servedAt = pieces;
  });
  turns.ready(light);
  while (Number.isNaN(servedAt)) await turnOfTheLoop();
  // Not one round of the fifty: at most what was left of one turn of the event loop.
  expect(servedAt - before).toBeLessThan(20);
  for (const work of heavy) work.left = 1;
  await turnOfTheLoop();
});

test("who is known to need little does not wait for a thousand who were not served yet and ask for much at once", async () => {
  const turns = new Turns();
  const calm = new Work(1, 0);
  for (let n = 0; n < 20; n++) {
    calm.left = 1;
    turns.ready(calm);
    while (calm.left > 0) await turnOfTheLoop();
  }
  let pieces = 0;
  const crowd = Array.from({ length: 1_000 }, () => new Work(1, 0.5, () => pieces++));
  for (const work of crowd) turns.ready(work);
  const before = pieces;
  calm.left = 1;
  turns.ready(calm);
  while (calm.left > 0) await turnOfTheLoop();
  expect(pieces - before).toBeLessThan(20);
  while (crowd.some(({ left }) => left > 0)) await turnOfTheLoop();
});

test("who is known to need little stays known through a pause of the process and through late calls that come together", async () => {
  const turns = new Turns();
  const calm = new Work(1, 0);
  let pieces = 0;
  let latest = 0;
  const isServed = async (count: number, pieceMs: number) => {
    calm.left = count;
    calm.pieceMs = pieceMs;
    const before = pieces;
    turns.ready(calm);
    while (calm.left > 0) await turnOfTheLoop();
    latest = Math.max(latest, pieces - before);
  };
  for (let n = 0; n < 100; n++) await isServed(1, 0.01);
  const crowd = Array.from({ length: 1_000 }, () => new Work(1, 0.5, () => pieces++));
  for (const work of crowd) turns.ready(work);
  await isServed(1, 20);
  while (pieces < 900) {
    const before = pieces;
    while (pieces - before < 30 && pieces < crowd.length) await turnOfTheLoop();
    await isServed(4, 0.2);
  }
  while (crowd.some(({ left }) => left > 0)) await turnOfTheLoop();
  expect(latest).toBeLessThan(50);
});

test("those who have used much are served though others that use little never end", async () => {
  const turns = new Turns();
  const heavy = new Work(20, 0.6);
  turns.ready(heavy);
  for (let n = 0; n < 10_000 && heavy.left > 0; n++) {
    for (let i = 0; i < 20; i++) turns.ready(new Work(2, 0.26));
    await turnOfTheLoop();
  }
  expect(heavy.left).toBe(0);
});

test("identities have turns, however many connections each of them has", async () => {
  const turns = new Turns();
  const pieces = { many: 0, one: 0 };
  const many = Array.from({ length: 100 }, () => new Work(100, 0.6, () => pieces.many++, "many"));
  const one = new Work(100, 0.6, () => pieces.one++, "one");
  for (const work of [...many, one]) turns.ready(work);
  while (one.left > 0) await turnOfTheLoop();
  // All of the hundred are heavy by then, too: each identity has had half of the turns.
  expect(pieces.many).toBeLessThan(300);
  for (const work of many) work.left = 1;
  while (many.some(({ left }) => left > 0)) await turnOfTheLoop();
});
