import { dispatch, query, type Reference, spawn, start, stop } from "nact";
import type { Contender } from "../contender.js";

type Message = { by: number; reply?: Reference } | "crash";

function add(state: { count: number }, message: Message): { count: number } {
  if (message === "crash") throw new Error("crash");
  state.count += message.by;
  if (message.reply !== undefined) dispatch(message.reply, state.count);
  return state;
}

const initialStateFunc = () => ({ count: 0 });

/** Below the system itself; an actor that crashes is reset. */
export const nact: Contender<Reference> = {
  async open() {
    const system = start();
    const fragile = spawn(system, add, "fragile", {
      initialStateFunc,
      onCrash: (_message, _error, { reset }) => reset,
    });
    const call = (actor: Reference, by: number) => query<number>(actor, (reply) => ({ by, reply }), 5_000);
    return {
      spawn: (id) => spawn(system, add, id, { initialStateFunc }),
      stop: (actor) => stop(actor),
      call,
      cast: (actor, by) => dispatch(actor, { by }),
      crash() {
        dispatch(fragile, "crash");
        return call(fragile, 1);
      },
      close: () => stop(system),
    };
  },
};
