import { expect, test } from "vitest";
import { isThenable, settle } from "../../../src/core/foreign/thenable.ts";
import { thenables } from "../../hostile/thenables.js";

/** What {@link settle} makes of a value; "never" where it has not settled within 100 turns of the event loop. */
async function settled(value: unknown): Promise<{ value: unknown } | "throws" | "never"> {
  let outcome: { value: unknown } | "throws" | "never" = "never";
  let calls = 0;
  settle(
    value,
    (came) => {
      outcome = { value: came };
      calls++;
    },
    () => {
      outcome = "throws";
      calls++;
    },
  );
  expect(calls, "nothing is called before settle has returned").toBe(0);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toBe(outcome === "never" ? 0 : 1);
  return outcome;
}

test.each(thenables)("%s is a thenable, and settles once as await has it", async (_, make, comesTo) => {
  const value = make(7);
  expect(isThenable(value)).toBe(true);
  expect(await settled(value)).toEqual(comesTo === "value" ? { value: 7 } : comesTo);
});

test.each([7, "text", null, undefined, Symbol("s"), { then: 7 }, [], () => 0, Object.create(null)])(
  "%o is no thenable, and settles as it is",
  async (value) => {
    expect(isThenable(value)).toBe(false);
    expect(await settled(value)).toEqual({ value });
  },
);

test("a fault in who waits is told to its rejection, not to the user's then", async () => {
  const heard: unknown[] = [];
  let thrownIntoThen: unknown = null;
  const thenable = {
    then(take: (value: unknown) => void) {
      try {
        take(1);
      } catch (thrown) {
        thrownIntoThen = thrown;
      }
    },
  };
  for (const value of [thenable, Promise.resolve(1)]) {
    settle(
      value,
      () => {
        throw new Error("ours");
      },
      (thrown) => heard.push(thrown),
    );
  }
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(thrownIntoThen).toBeNull();
  expect(heard).toEqual([new Error("ours"), new Error("ours")]);
});
