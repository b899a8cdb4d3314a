import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { RestartType, Strategy } from "../../src/actor/child-spec.ts";
import { kill } from "../../src/actor/exit.ts";
import {
  deleteChild,
  restartChild,
  type SupervisorRef,
  startChild,
  terminateChild,
} from "../../src/actor/supervisor-requests.ts";
import type { TreeNode } from "../../src/actor/tree-node.ts";
import type { Spec } from "./otp-model.ts";
import { codeOf, RealTree } from "./real-tree.ts";

interface RecordedSpec {
  readonly id: string;
  readonly restart: RestartType;
  readonly shutdown?: "brutal_kill";
  readonly strategy?: Strategy;
  readonly maxRestarts?: number;
  readonly children?: readonly RecordedSpec[];
}

interface Recording {
  readonly root: RecordedSpec;
  readonly start: { readonly log: string; readonly tree: string };
  readonly steps: readonly {
    readonly command: readonly [string, string, (RecordedSpec | string | number)?];
    readonly result: string;
    readonly log: string;
    readonly tree: string;
  }[];
  readonly stop: { readonly log: string };
}

const file = new URL("./otp-recording.json.txt", import.meta.url);
const recordings = JSON.parse(readFileSync(file, "utf8")) as Recording[];

function specOf({ id, restart, shutdown, strategy, maxRestarts, children }: RecordedSpec): Spec {
  return {
    id,
    kind: children === undefined ? "worker" : "supervisor",
    restart,
    shutdown: shutdown ?? "time",
    stubborn: false,
    strategy: strategy ?? "one_for_one",
    intensity: { maxRestarts: maxRestarts ?? 0, withinMs: 1e9 },
    children: (children ?? []).map(specOf),
  };
}

function treeText({ children }: TreeNode): string {
  const texts = children.map((child) => {
    if (child.status !== "running") return `${child.id}:${child.status}`;
    return child.type === "worker" ? child.id : `${child.id}${treeText(child)}`;
  });
  return `[${texts.join(",")}]`;
}

async function carryOut(real: RealTree, [name, id, more]: Recording["steps"][number]["command"]): Promise<string> {
  const supervisor = () => real.ref(id) as SupervisorRef;
  switch (name) {
    case "fail":
      real.failing.set(id, more as number);
      return "-";
    case "kill":
      kill(real.ref(id));
      return "-";
    case "start":
      return codeOf(startChild(supervisor(), real.childSpec(specOf(more as RecordedSpec))));
    case "terminate":
      return codeOf(terminateChild(supervisor(), more as string));
    case "restart":
      return codeOf(restartChild(supervisor(), more as string));
    case "delete":
      return codeOf(deleteChild(supervisor(), more as string));
    default:
      real.ref(id).send({ type: name });
      return "-";
  }
}

// Forty random trees with the commands they were given, each with what Erlang/OTP 25's own `supervisor` answered, the
// order in which its children started and ended, and the tree it then had (`supervisor:which_children/1`).
it.each(recordings.map((recording, index) => [index, recording] as const))(
  "does what Erlang's supervisor did: recording %i",
  async (_, { root, start, steps, stop }) => {
    const real = new RealTree(specOf(root));
    const seen = async () => {
      await real.clock.advanceAsync(0);
      const log = real.log.splice(0).join(" ");
      return { log, tree: real.closed === undefined ? treeText(real.system.tree()) : "dead" };
    };
    expect(await seen()).toEqual(start);
    for (const { command, ...expected } of steps) {
      const result = await carryOut(real, command);
      expect({ result, ...(await seen()) }, command.join(" ")).toEqual(expected);
    }
    await real.system.shutdown();
    expect((await seen()).log).toBe(stop.log);
    expect(real.clock.pending).toBe(0);
  },
);
