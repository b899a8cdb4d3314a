import { call } from "../actor/gen-server.ts";
import type { Clock } from "../core/clock.ts";
import { isGenApiError } from "../core/errors.ts";
import type { ConfigCacheRef, FunctionName } from "./config-cache.actor.ts";
import { type ConfigEntry, type ConfigStore, isOfHost } from "./config-store.ts";
import { type FunctionSet, type FunctionSets, functionKey, isList, sameNodes } from "./function-sets.ts";
import type { Turns } from "./turns.ts";

/** What {@link Reconciler} needs of the gateway. */
export interface ReconcilerSources {
  readonly clock: Clock;
  /** Read here, written by its owner. */
  readonly store: ConfigStore<ConfigEntry>;
  readonly sets: FunctionSets;
  /** The actor that owns the table of functions now. */
  owner(): ConfigCacheRef | undefined;
  /** The same function for other nodes: what was compiled of its `nodes` is replaced. */
  withNodes(entry: ConfigEntry, nodes: readonly string[]): ConfigEntry;
}

type Change = { readonly put: ConfigEntry } | { readonly remove: FunctionName } | undefined;

// How many functions are looked at in one turn of the event loop, and how soon an owner that is gone is tried again.
const perTurn = 200;
const retryMs = 100;

/** Brings the table of functions to what the sets of the nodes say, some functions in each turn of the event loop. */
export class Reconciler {
  readonly #sources: ReconcilerSources;
  readonly #turns: Turns;

  constructor(sources: ReconcilerSources, turns: Turns) {
    this.#sources = sources;
    this.#turns = turns;
  }

  /**
   * After a set has come, changed or gone: first what came, then what went, so that a request which names no version
   * finds the old function or the new one.
   */
  async replaced(service: string, before: FunctionSet | undefined, after: FunctionSet | undefined): Promise<void> {
    await this.#reconcile(namesIn(service, after));
    await this.#reconcile(namesIn(service, before, after));
  }

  /** Everything, after a crash that may have come in the middle. */
  async all(): Promise<void> {
    const { store, sets } = this.#sources;
    for (const [service, , set] of [...sets.entries()]) await this.#reconcile(namesIn(service, set));
    const ofNodes = Array.from(store.entries()).filter((entry) => !isOfHost(entry));
    await this.#reconcile(ofNodes.map(({ config }) => config));
  }

  async #reconcile(names: Iterable<FunctionName>): Promise<void> {
    const left = names[Symbol.iterator]();
    for (let slice = next(left); slice.length > 0; slice = next(left)) {
      await this.#turns.next();
      await this.#apply(slice);
    }
  }

  /** Looks and writes without waiting in between, as others may be at work on the same functions. */
  async #apply(names: readonly FunctionName[]): Promise<void> {
    for (;;) {
      const changes = names.map((name) => this.#changeOf(name));
      const put = changes.flatMap((change) => (change !== undefined && "put" in change ? [change.put] : []));
      const remove = changes.flatMap((change) => (change !== undefined && "remove" in change ? [change.remove] : []));
      if (put.length === 0 && remove.length === 0) return;
      try {
        await call(this.#sources.owner(), "reconcile", { put, remove });
        return;
      } catch (error) {
        if (!isGenApiError(error) || error.code !== "noproc") throw error;
        await this.#soon();
      }
    }
  }

  #changeOf(name: FunctionName): Change {
    const { store, sets, withNodes } = this.#sources;
    const { service, requestType, version } = name;
    const current = store.find(service, requestType, version);
    const wanted = sets.effective(service, functionKey(requestType, version));
    if (wanted === undefined) return current === undefined ? undefined : { remove: { service, requestType, version } };
    const { held, nodes, origin } = wanted;
    const isKnown = current?.contentHash === held.hash;
    const hasNodes = sameNodes(current?.config.nodes, nodes);
    if (isKnown && hasNodes && current?.origin === origin) return undefined;
    // A function that the host disabled stays so until its content changes.
    const base = isKnown && current !== undefined ? current : held.entry;
    // With a resolver it was compiled: that is part of the content.
    const entry = isList(nodes) && !sameNodes(base.config.nodes, nodes) ? withNodes(base, nodes) : base;
    return { put: { ...entry, origin, contentHash: held.hash } };
  }

  /** The owner is being started again. */
  #soon(): Promise<void> {
    const { clock } = this.#sources;
    return new Promise<void>((resolve) => clock.setTimeout(resolve, retryMs)).then(() => this.#turns.next());
  }
}

/** The functions of a set, without those that another one holds too. */
function* namesIn(service: string, set: FunctionSet | undefined, without?: FunctionSet): Generator<FunctionName> {
  for (const [key, { requestType, version }] of set?.functions ?? []) {
    if (without?.functions.has(key) !== true) yield { service, requestType, version };
  }
}

function next(names: Iterator<FunctionName>): FunctionName[] {
  const slice: FunctionName[] = [];
  while (slice.length < perTurn) {
    const { done, value } = names.next();
    if (done === true) break;
    slice.push(value);
  }
  return slice;
}
