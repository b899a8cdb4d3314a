import { fromGenServer, type Server } from "../actor/gen-server/gen-server.ts";
import type { NodeTable } from "./node-table.ts";

/** The input of the monitor of nodes. */
export interface NodeMonitorInput {
  readonly table: NodeTable;
  /** How long a node may be gone before it is forgotten, milliseconds. @default 60 000 */
  readonly nodeGraceMs?: number;
  /** Whether nodes currently cannot reach the gateway: meanwhile none is forgotten. @default never */
  isCutOff?(): boolean;
}

/** The default of {@link NodeMonitorInput.nodeGraceMs}. */
export const defaultNodeGraceMs = 60_000;

/** The name of the table of nodes: see `claimTable`. */
const nodeTable = "nodes";

const sweep = { type: "node_monitor.sweep" } as const;
const sweepMs = 1_000;

/**
 * Owns the {@link NodeTable} and forgets nodes that left and did not come back. Sessions change the table directly: a
 * crash of this actor loses no node.
 */
export const nodeMonitorActor = fromGenServer({
  init(input: NodeMonitorInput, server: Server): NodeMonitorInput {
    server.sendAfter(sweep, sweepMs);
    return { ...input, table: server.table(nodeTable, () => input.table) };
  },

  handleInfo({ table, nodeGraceMs = defaultNodeGraceMs, isCutOff }: NodeMonitorInput, event, server) {
    if (event.type !== sweep.type) return;
    server.sendAfter(sweep, sweepMs);
    if (isCutOff?.()) table.postpone();
    for (const node of table.gone(nodeGraceMs)) table.forget(node);
  },

  formatStatus: ({ table }) => ({ nodes: table.list() }),
});
