import { expect, it } from "vitest";
import { call, fromGenServer, startSystem } from "../../../src/otp.ts";
import { collectGarbage } from "../../support/heap.ts";
import { SimulatedClock, settled } from "../../support/simulated-clock.ts";

const server = fromGenServer({
  init: () => undefined,
  handleCall: {
    now: () => ({}),
    soon: async () => ({}),
  },
});

it.each(["infinity", 1_000] as const)("nothing is kept of calls that were answered: timeout %s", async (timeoutMs) => {
  const clock = new SimulatedClock();
  await using system = startSystem({ name: "s", clock, children: [{ id: "a", name: "a", logic: server }] });
  const replies: WeakRef<object>[] = [];
  for (const name of ["now", "soon"] as const) {
    for (let i = 0; i < 10; i++) {
      replies.push(new WeakRef(await call(system.whereis("a"), name, undefined, { timeoutMs })));
    }
  }
  expect(clock.pending).toBe(0);
  await settled();
  // A WeakRef holds what it was asked for until the turn ends.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  const kept = replies.filter((reply) => reply.deref() !== undefined);
  // The last of each kind may still be on the stack.
  expect(kept.length).toBeLessThanOrEqual(2);
});

it("a call that is answered at once sets no timer", async () => {
  const clock = new SimulatedClock();
  await using system = startSystem({ name: "s", clock, children: [{ id: "a", name: "a", logic: server }] });
  const answered = call(system.whereis("a"), "now");
  expect(clock.pending).toBe(0);
  const pending = call(system.whereis("a"), "soon");
  expect(clock.pending).toBe(1);
  await Promise.all([answered, pending]);
  expect(clock.pending).toBe(0);
});
