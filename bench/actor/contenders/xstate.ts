import { type Actor, createActor, fromTransition } from "xstate";
import type { Contender } from "../contender.js";

type Event = { type: "add"; by: number; reply?: (count: number) => void } | { type: "crash" };

const counter = fromTransition(
  (state, event: Event) => {
    if (event.type === "crash") throw new Error("crash");
    const count = state.count + event.by;
    event.reply?.(count);
    return { count };
  },
  { count: 0 },
);

type Counter = Actor<typeof counter>;

/**
 * Bare actors, which no parent has: below a machine each new one costs more the more there are. A call is a callback in an
 * event, and who restarts is whoever observes the error.
 */
export const xstate: Contender<Counter> = {
  async open() {
    let fragile: Counter;
    const start = () => {
      fragile = createActor(counter);
      fragile.subscribe({ error: start });
      fragile.start();
    };
    start();
    const call = (actor: Counter, by: number) => new Promise<number>((reply) => actor.send({ type: "add", by, reply }));
    return {
      spawn: () => createActor(counter).start(),
      stop: (actor) => actor.stop(),
      call,
      cast: (actor, by) => actor.send({ type: "add", by }),
      crash() {
        fragile.send({ type: "crash" });
        return call(fragile, 1);
      },
    };
  },
};
