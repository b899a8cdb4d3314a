import { fromGenServer, type Server } from "../actor/gen-server.ts";
import type { NodeTable } from "./node-table.ts";

/** What the monitor of nodes is started with. */
export interface NodeMonitorInput {
  readonly table: NodeTable;
  /** How long a node may be gone before it is forgotten, milliseconds. @default 60 000 */
  readonly nodeGraceMs?: number;
}

/** The default of {@link NodeMonitorInput.nodeGraceMs}. */
export const defaultNodeGraceMs = 60_000;

/** The name under which the table of nodes is owned: see `claimTable`. */
const nodeTable = "nodes";

const sweep = { type: "node_monitor.sweep" } as const;
const sweepMs = 1_000;

/**
 * Owns the {@link NodeTable} and forgets the nodes that went and did not come back. Sessions come and go in the table
 * directly: a crash of this actor costs no node.
 */
export const nodeMonitor = fromGenServer({
  init(input: NodeMonitorInput, server: Server): NodeMonitorInput {
    server.sendAfter(sweep, sweepMs);
    return { ...input, table: server.table(nodeTable, () => input.table) };
  },

  handleInfo({ table, nodeGraceMs = defaultNodeGraceMs }: NodeMonitorInput, event, server) {
    if (event.type !== sweep.type) return;
    server.sendAfter(sweep, sweepMs);
    for (const node of table.gone(nodeGraceMs)) table.forget(node);
  },

  formatStatus: ({ table }) => ({ nodes: table.list() }),
});
