import type { TreeNode } from "../actor/supervisor/tree-node.ts";
import { paint, plain, state, table } from "./text.ts";

/** The most children shown of one supervisor; a gateway may have thousands of connections. */
const mostChildren = 20;

/** The supervision tree as text. */
export function treeView(root: TreeNode, showsAll: boolean): string {
  const rows: string[][] = [];
  addRows(root, "", "", showsAll ? Number.POSITIVE_INFINITY : mostChildren, rows);
  return table([{ title: "ACTOR" }, { title: "STATUS" }, { title: "RESTARTS", isRight: true }], rows);
}

function addRows(node: TreeNode, prefix: string, below: string, most: number, rows: string[][]): void {
  const { id, type, status, restarts, children } = node;
  const name = type === "supervisor" ? paint("bold", plain(id)) : plain(id);
  const count = restarts === 0 ? "" : paint("yellow", String(restarts));
  rows.push([`${prefix}${name}`, state(status), count]);
  const shown = children.slice(0, most);
  const more = children.length - shown.length;
  shown.forEach((child, index) => {
    const isLast = index === shown.length - 1 && more === 0;
    addRows(child, `${below}${isLast ? "└── " : "├── "}`, `${below}${isLast ? "    " : "│   "}`, most, rows);
  });
  if (more > 0) rows.push([`${below}└── ${paint("dim", `… ${more} more, shown with --all`)}`, "", ""]);
}
