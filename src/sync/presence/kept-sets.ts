import type { Absence } from "./absences.ts";

/** Functions of a vanished node, kept because no one has said that it is gone for good. */
export interface KeptSet extends Absence {
  /** The number of functions. */
  readonly functions: number;
}

/** The most functions kept for vanished nodes that no other node of their service has followed. */
const maxKeptFunctions = 20_000;

/**
 * The sets beyond the bound, out of a list whose oldest come first. The service with the most gives up its oldest, so
 * that a node that keeps coming and vanishing with new functions cannot displace those of others.
 */
export function beyondBound(kept: readonly KeptSet[], max = maxKeptFunctions): Absence[] {
  const byService = new Map<string, { functions: number; readonly sets: KeptSet[] }>();
  let total = 0;
  for (const set of kept) {
    // A set without functions takes room too.
    const functions = Math.max(1, set.functions);
    const ofService = byService.get(set.service) ?? { functions: 0, sets: [] };
    byService.set(set.service, ofService);
    ofService.functions += functions;
    ofService.sets.push(set);
    total += functions;
  }
  const dropped: Absence[] = [];
  while (total > max) {
    let largest: { functions: number; readonly sets: KeptSet[] } | undefined;
    for (const one of byService.values()) if (largest === undefined || one.functions > largest.functions) largest = one;
    const oldest = largest?.sets.shift();
    if (largest === undefined || oldest === undefined) break;
    const functions = Math.max(1, oldest.functions);
    largest.functions -= functions;
    total -= functions;
    dropped.push({ service: oldest.service, node: oldest.node });
  }
  return dropped;
}
