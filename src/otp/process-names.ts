import { isText, mustTake } from "../core/argument.ts";
import type { ActorRef } from "./actor-ref.ts";

type Whereis = (name: string) => ActorRef | undefined;

// Every system of this process whose names are everybody's, in the order of their start.
const systems = new Set<Whereis>();

/** Lets {@link whereis} find the names of a system. @returns how to end that */
export function shareNames(names: Whereis): () => void {
  systems.add(names);
  return () => {
    systems.delete(names);
  };
}

/**
 * The actor registered under `name` in this process (`Process.whereis/1`): of any system, the one that was started first
 * where several have the name, and of the `children` of gateways and service nodes. For code that has no system at hand,
 * such as a hook or a function on the main thread. Worker threads have no actors.
 *
 * @throws GenApiError `invalid_request` for what is no name
 * @example
 * const stock = await call(whereis<GenServerRefFrom<typeof cache>>("cache"), "get", "apple");
 */
export function whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined {
  mustTake("whereis", "the name of an actor", name, isText);
  for (const find of systems) {
    const ref = find(name);
    if (ref !== undefined) return ref as Ref;
  }
  return undefined;
}
