import * as inner from "../actor/registry/registry.ts";
import type { ActorRef } from "./actor-ref.ts";
import { actor, refTo } from "./checks/actors.ts";
import { checkOptions, fields, fun, oneOf } from "./checks/faults.ts";

/**
 * An actor under a key, with what it registered beside.
 *
 * @example
 * const rooms = createRegistry<string, string>({ keys: "unique" });
 * const [entry]: readonly RegistryEntry<ActorRef, string>[] = rooms.lookup("lobby");
 */
export interface RegistryEntry<Ref extends ActorRef, Value> {
  /** The actor. */
  readonly ref: Ref;
  /** What it registered beside. */
  readonly value: Value;
}

/**
 * Actors by key (`Registry`). An actor's entries vanish when it ends.
 *
 * @example
 * const rooms: Registry<string, undefined> = createRegistry({ keys: "unique" });
 */
export interface Registry<Key, Value, Ref extends ActorRef = ActorRef> {
  /**
   * Registers an actor (`Registry.register/3`); one that has ended already is forgotten soon.
   * @throws GenApiError `already_started` when the keys are unique and `key` is taken, or `ref` has it already
   */
  register(key: Key, ref: Ref, ...value: undefined extends Value ? [value?: Value] : [value: Value]): void;
  /** Takes the actor's entry under `key` away (`Registry.unregister/2`). */
  unregister(key: Key, ref: Ref): void;
  /** The entries under `key`, in the order of registration (`Registry.lookup/2`). */
  lookup(key: Key): readonly RegistryEntry<Ref, Value>[];
  /** The keys that `ref` is registered under (`Registry.keys/2`). */
  keys(ref: Ref): readonly Key[];
  /** Calls `run` with every entry under `key` (`Registry.dispatch/3`). */
  dispatch(key: Key, run: (entry: RegistryEntry<Ref, Value>) => void): void;
  /** How many entries there are (`Registry.count/1`). */
  count(): number;
}

const isOptions = fields({ keys: oneOf("unique", "duplicate") });

/**
 * Makes a registry whose keys belong to one actor each (`unique`) or to any number (`duplicate`).
 *
 * @throws GenApiError `invalid_option` for wrong options
 * @example
 * const rooms = createRegistry<string, { topic: string }>({ keys: "duplicate" });
 * rooms.register("lobby", ref, { topic: "weather" });
 * rooms.dispatch("lobby", ({ ref }) => send(ref, { type: "news" }));
 */
export function createRegistry<Key = string, Value = undefined, Ref extends ActorRef = ActorRef>(options: {
  readonly keys: "unique" | "duplicate";
}): Registry<Key, Value, Ref> {
  const registry = inner.createRegistry<Key, Value | undefined>(checkOptions("createRegistry", options, isOptions));
  const entry = (found: { readonly ref: Parameters<typeof refTo>[0]; readonly value: Value | undefined }) => ({
    ref: refTo<Ref>(found.ref),
    value: found.value as Value,
  });
  return {
    register: (key, ref, value?: Value) => registry.register(key, actor("register", ref), value),
    unregister: (key, ref) => registry.unregister(key, actor("unregister", ref)),
    lookup: (key) => registry.lookup(key).map(entry),
    keys: (ref) => registry.keys(actor("keys", ref)),
    dispatch(key, run) {
      checkOptions("dispatch", { run }, fields({ run: fun }));
      registry.dispatch(key, (found) => run(entry(found)));
    },
    count: () => registry.count(),
  };
}
