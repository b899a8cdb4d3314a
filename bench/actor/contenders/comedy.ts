import comedySystem, { type ComedyActor } from "comedy";
import type { Contender } from "../contender.js";

class Counter {
  count = 0;
  add(by: number): number {
    this.count += by;
    return this.count;
  }
}

/** In memory, below the root; there a handler that throws fails its message, and nobody crashes. */
export const comedy: Contender<ComedyActor> = {
  async open() {
    // In its test mode it logs nothing, and reads no configuration from files.
    const root = await comedySystem({ test: true }).rootActor();
    return {
      spawn: (id) => root.createChild(Counter, { mode: "in-memory", name: id }),
      stop: (actor) => actor.destroy(),
      call: (actor, by) => actor.sendAndReceive("add", by),
      cast: (actor, by) => void actor.send("add", by),
    };
  },
};
