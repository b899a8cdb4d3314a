import { fromGenServer, type GenServerRefFrom } from "../../actor/gen-server/gen-server.ts";
import type { NodeSelector } from "./node-selector.ts";

/** The table name of the node selector: see `claimTable`. */
const nodeSelectorTable = "node_selector";

/**
 * Owns the {@link NodeSelector}. Requests select from it directly; only this actor forgets functions that are gone.
 * Turns and places survive a crash of this actor.
 */
export const nodeSelectorActor = fromGenServer({
  init: (selector: NodeSelector, server): NodeSelector => server.table(nodeSelectorTable, () => selector),

  handleCast: {
    /** @param functionKey see `functionKeyOf` */
    forget(selector: NodeSelector, functionKey: string) {
      selector.forget(functionKey);
    },

    /** Forgets every function. */
    clear(selector: NodeSelector) {
      selector.clear();
    },
  },

  formatStatus: ({ roundRobin, sticky }) => ({ takingTurns: roundRobin.size, stickyKeys: sticky.size }),
});

/** A running node selector. */
export type NodeSelectorRef = GenServerRefFrom<typeof nodeSelectorActor>;
