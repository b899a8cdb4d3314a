import type { Contender } from "../contender.js";

class Counter {
  state = { count: 0 };
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all before it is done. */
  run<Result>(work: (state: { count: number }) => Result): Promise<Result> {
    const result = this.#tail.then(() => work(this.state));
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

const add = (counter: Counter, by: number) =>
  counter.run((state) => {
    state.count += by;
    return state.count;
  });

/** What one writes without a library: functions that wait for each other. Who calls sees a throw, and begins anew. */
export const promiseQueue: Contender<Counter> = {
  async open() {
    const fragile = new Counter();
    const broken = () => {
      throw new Error("crash");
    };
    return {
      spawn: () => new Counter(),
      stop: () => undefined,
      call: add,
      cast: (counter, by) => {
        add(counter, by).catch(console.error);
      },
      crash() {
        fragile.run(broken).catch(() => {
          fragile.state = { count: 0 };
        });
        return add(fragile, 1);
      },
    };
  },
};
