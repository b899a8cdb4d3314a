import {
  call,
  cast,
  fromDynamicSupervisor,
  fromGenServer,
  type GenServerRefFrom,
  startChild,
  startSystem,
  terminateChild,
} from "../../../dist/otp.js";
import type { Contender } from "../contender.js";

const counter = fromGenServer({
  init: () => ({ count: 0 }),
  handleCall: {
    add: (state, by: number) => {
      state.count += by;
      return state.count;
    },
  },
  handleCast: {
    add: (state, by: number) => {
      state.count += by;
    },
    crash: () => {
      throw new Error("crash");
    },
  },
});

type Counter = GenServerRefFrom<typeof counter>;

/** Below a dynamic supervisor, as sessions of users are. */
export const genApi: Contender<Counter> = {
  async open() {
    const crowd = fromDynamicSupervisor({ intensity: { maxRestarts: 1_000, withinMs: 1 } });
    const system = startSystem({ name: "bench", children: [{ id: "crowd", name: "crowd", logic: crowd }] });
    const supervisor = system.whereis("crowd");
    await startChild(supervisor, { id: "fragile", name: "fragile", logic: counter });
    return {
      spawn: (id) => startChild(supervisor, { id, logic: counter }),
      stop: (actor) => terminateChild(supervisor, actor.id),
      call: (actor, by) => call(actor, "add", by),
      cast: (actor, by) => cast(actor, "add", by),
      crash() {
        cast(system.whereis<Counter>("fragile"), "crash");
        return call(system.whereis<Counter>("fragile"), "add", 1);
      },
      close: () => system.shutdown(),
    };
  },
};
