import { call } from "../../actor/gen-server/gen-server.ts";
import type { FunctionTableRef } from "../../config/function-table.actor.ts";
import { type ConfigEntry, type FunctionTable, isOfHost } from "../../config/function-table.ts";
import { isGenApiError } from "../../core/errors.ts";
import type { FunctionName } from "../../core/function-name.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { Turns } from "../../core/time/turns.ts";
import { type FunctionSet, type FunctionSets, functionKey, isList, sameNodes } from "./function-sets.ts";

/** The parts of the gateway that {@link Reconciler} needs. */
export interface ReconcilerDeps {
  readonly clock: Clock;
  /** Only read here; its owner writes it. */
  readonly functionTable: FunctionTable<ConfigEntry>;
  readonly sets: FunctionSets;
  /** The actor that currently owns the table of functions. */
  owner(): FunctionTableRef | undefined;
  /** The same function for other nodes: replaces what was compiled from its `nodes`. */
  withNodes(entry: ConfigEntry, nodes: readonly string[]): ConfigEntry;
}

type Change = { readonly put: ConfigEntry } | { readonly remove: FunctionName } | undefined;

// How many functions are checked in one turn of the event loop, and when to retry while the owner is gone.
const perTurn = 200;
const retryMs = 100;

/** Brings the table of functions in line with the sets of the nodes, some functions in each turn of the event loop. */
export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #turns: Turns;

  constructor(deps: ReconcilerDeps, turns: Turns) {
    this.#deps = deps;
    this.#turns = turns;
  }

  /**
   * After a set has come, changed or gone: first applies additions, then removals, so that a request without a version
   * finds the old function or the new one.
   */
  async replaced(service: string, before: FunctionSet | undefined, after: FunctionSet | undefined): Promise<void> {
    await this.#reconcile(namesIn(service, after));
    await this.#reconcile(namesIn(service, before, after));
  }

  /** Everything, after a crash in the middle of a change. */
  async all(): Promise<void> {
    const { functionTable, sets } = this.#deps;
    for (const [service, , set] of [...sets.entries()]) await this.#reconcile(namesIn(service, set));
    const ofNodes = Array.from(functionTable.entries()).filter((entry) => !isOfHost(entry));
    await this.#reconcile(ofNodes.map(({ config }) => config));
  }

  async #reconcile(names: Iterable<FunctionName>): Promise<void> {
    const left = names[Symbol.iterator]();
    for (let slice = next(left); slice.length > 0; slice = next(left)) {
      await this.#turns.next();
      await this.#apply(slice);
    }
  }

  /** Reads and writes without waiting in between, as others may work on the same functions. */
  async #apply(names: readonly FunctionName[]): Promise<void> {
    for (;;) {
      const changes = names.map((name) => this.#changeOf(name));
      const put = changes.flatMap((change) => (change !== undefined && "put" in change ? [change.put] : []));
      const remove = changes.flatMap((change) => (change !== undefined && "remove" in change ? [change.remove] : []));
      if (put.length === 0 && remove.length === 0) return;
      try {
        await call(this.#deps.owner(), "reconcile", { put, remove });
        return;
      } catch (error) {
        if (!isGenApiError(error) || error.code !== "noproc") throw error;
        await this.#soon();
      }
    }
  }

  #changeOf(name: FunctionName): Change {
    const { functionTable, sets, withNodes } = this.#deps;
    const { service, requestType, version } = name;
    const current = functionTable.find(service, requestType, version);
    const wanted = sets.effective(service, functionKey(requestType, version));
    if (wanted === undefined) return current === undefined ? undefined : { remove: { service, requestType, version } };
    const { held, nodes, origin } = wanted;
    const isKnown = current?.contentHash === held.hash;
    const hasNodes = sameNodes(current?.config.nodes, nodes);
    if (isKnown && hasNodes && current?.origin === origin) return undefined;
    // A function that the host disabled stays disabled until its content changes.
    const base = isKnown && current !== undefined ? current : held.entry;
    // A resolver was compiled with it, as part of the content.
    const entry = isList(nodes) && !sameNodes(base.config.nodes, nodes) ? withNodes(base, nodes) : base;
    return { put: { ...entry, origin, contentHash: held.hash } };
  }

  /** Waits briefly, while the owner is being restarted. */
  #soon(): Promise<void> {
    const { clock } = this.#deps;
    return new Promise<void>((resolve) => clock.setTimeout(resolve, retryMs)).then(() => this.#turns.next());
  }
}

/** The functions of a set, without those that another set also holds. */
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
