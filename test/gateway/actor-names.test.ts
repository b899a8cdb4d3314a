import type { TreeNode } from "gen-api";
import { link } from "gen-api/link";
import { expect, test } from "vitest";
import { ownNames } from "../../dist/runtime/options/actor-names.js";
import { adminToken } from "../support/admin.ts";
import { keep, startNode } from "../support/cluster.ts";
import { startTestGateway } from "../support/gateway.ts";

/** The names in a tree. */
function namesIn({ name, children }: TreeNode): readonly string[] {
  return [...(name === null ? [] : [name]), ...children.flatMap(namesIn)];
}

test("the names that hosts' children cannot have are those of all actors of gateways and nodes", async () => {
  const admin = { listen: "127.0.0.1:0", token: adminToken };
  const gateway = keep(await startTestGateway({ admin, cluster: link() }));
  const node = await startNode([gateway], { name: "node@127.0.0.1", service: "nothing" });
  const used = new Set([...namesIn(gateway.tree()), ...namesIn(node.tree()), "children"]);
  expect([...ownNames].toSorted()).toEqual([...used].toSorted());
});
