import fc from "fast-check";
import { expect, test } from "vitest";
import { type Deadline, Deadlines } from "../../../src/core/time/deadlines.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

test("a deadline passes once, at its time and not before", () => {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  let expired = 0;
  deadlines.after(100, { expire: () => expired++ });
  clock.advance(99);
  expect(expired).toBe(0);
  clock.advance(1);
  expect(expired).toBe(1);
  clock.advance(1_000);
  expect(expired).toBe(1);
  expect(clock.pending).toBe(0);
});

test("deadlines of one duration share one timer, and leave none behind", () => {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  const pending = Array.from({ length: 1_000 }, () => deadlines.after(50, { expire: () => undefined }));
  expect(clock.pending).toBe(1);
  for (const deadline of pending) deadlines.cancel(deadline);
  clock.advance(50);
  expect(clock.pending).toBe(0);
});

test("closing drops deadlines and timers", () => {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  let expired = 0;
  deadlines.after(50, { expire: () => expired++ });
  deadlines.close();
  clock.advance(100);
  expect([expired, clock.pending]).toEqual([0, 0]);
});

test("an expiring target may set and cancel deadlines of its own duration", () => {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  const times: number[] = [];
  let neighbour: Deadline | null = null;
  const again = {
    expire() {
      times.push(clock.now());
      if (neighbour) deadlines.cancel(neighbour);
      if (times.length < 3) deadlines.after(10, again);
    },
  };
  deadlines.after(10, again);
  neighbour = deadlines.after(10, { expire: () => times.push(-1) });
  clock.advance(100);
  expect(times).toEqual([10, 20, 30]);
  expect(clock.pending).toBe(0);
});

test("random deadlines and cancellations agree with a plain list of them", () => {
  const step = fc.oneof(
    fc.record({ after: fc.constantFrom(5, 10, 30) }),
    fc.record({ cancel: fc.nat(30) }),
    fc.record({ advance: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new SimulatedClock();
      const deadlines = new Deadlines(clock);
      const set: { at: number; deadline: Deadline; state: "pending" | "cancelled" | "expired" }[] = [];
      for (const move of steps) {
        if ("after" in move) {
          const entry = { at: clock.now() + move.after, state: "pending" as "pending" | "cancelled" | "expired" };
          const expire = () => {
            expect(entry.state).toBe("pending");
            expect(clock.now()).toBe(entry.at);
            entry.state = "expired";
          };
          set.push(Object.assign(entry, { deadline: deadlines.after(move.after, { expire }) }));
        } else if ("cancel" in move) {
          const entry = set[move.cancel];
          if (entry === undefined) continue;
          deadlines.cancel(entry.deadline);
          if (entry.state === "pending") entry.state = "cancelled";
        } else {
          clock.advance(move.advance);
          for (const { at, state } of set) expect(state === "pending").toBe(state !== "cancelled" && at > clock.now());
        }
      }
      deadlines.close();
    }),
  );
});
