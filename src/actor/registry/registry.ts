import type { AnyActorRef } from "xstate";
import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/shown.ts";
import { type Demonitor, monitor } from "./monitor.ts";

/** An actor under a key, and the value registered with it. */
interface RegistryEntry<Value> {
  readonly ref: AnyActorRef;
  readonly value: Value;
}

/** Actors by key, like Elixir's `Registry`. An actor's entries disappear when it ends. */
export interface Registry<Key, Value> {
  /**
   * Registers an actor; the entry of an actor that has already ended disappears soon.
   * @throws GenApiError `already_started` if the keys are unique and `key` is taken, or if `ref` already has it
   */
  register(key: Key, ref: AnyActorRef, value: Value): void;
  unregister(key: Key, ref: AnyActorRef): void;
  /** The entries under `key`, in the order of registration. */
  lookup(key: Key): readonly RegistryEntry<Value>[];
  /** The keys of `ref`. */
  keys(ref: AnyActorRef): readonly Key[];
  /** Calls `run` with every entry under `key`. */
  dispatch(key: Key, run: (entry: RegistryEntry<Value>) => void): void;
  /** The number of entries. */
  count(): number;
}

/** Creates a registry whose keys belong to one actor each (`unique`) or to any number (`duplicate`). */
export function createRegistry<Key = string, Value = undefined>(options: {
  readonly keys: "unique" | "duplicate";
}): Registry<Key, Value> {
  // By key and then by actor, so that the end of an actor needs no search.
  const entries = new Map<Key, Map<AnyActorRef, RegistryEntry<Value>>>();
  const actors = new Map<AnyActorRef, { readonly keys: Set<Key>; readonly demonitor: Demonitor }>();
  let size = 0;

  function remove(key: Key, ref: AnyActorRef): void {
    const holders = entries.get(key);
    if (holders?.delete(ref) !== true) return;
    size -= 1;
    if (holders.size === 0) entries.delete(key);
  }

  function forget(ref: AnyActorRef): void {
    const actor = actors.get(ref);
    if (actor === undefined) return;
    actors.delete(ref);
    for (const key of actor.keys) remove(key, ref);
  }

  return {
    register(key, ref, value) {
      const holders = entries.get(key) ?? new Map<AnyActorRef, RegistryEntry<Value>>();
      const [holder] = holders.keys();
      if (holder !== undefined && (options.keys === "unique" || holders.has(ref))) {
        throw libraryError("already_started", `The key ${shown(key)} is taken by the actor "${holder.id}"`);
      }
      entries.set(key, holders.set(ref, { ref, value }));
      size += 1;
      let actor = actors.get(ref);
      if (actor === undefined) {
        actor = { keys: new Set(), demonitor: monitor(ref, () => forget(ref)) };
        actors.set(ref, actor);
      }
      actor.keys.add(key);
    },
    unregister(key, ref) {
      const actor = actors.get(ref);
      if (actor?.keys.delete(key) !== true) return;
      remove(key, ref);
      if (actor.keys.size > 0) return;
      actors.delete(ref);
      actor.demonitor();
    },
    lookup: (key) => [...(entries.get(key)?.values() ?? [])],
    keys: (ref) => [...(actors.get(ref)?.keys ?? [])],
    dispatch(key, run) {
      for (const entry of [...(entries.get(key)?.values() ?? [])]) run(entry);
    },
    count: () => size,
  };
}
