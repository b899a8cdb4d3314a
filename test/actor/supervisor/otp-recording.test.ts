import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type AutoShutdown,
  deleteChild,
  kill,
  type RestartType,
  restartChild,
  type Strategy,
  type SupervisorRef,
  send,
  startChild,
  type TreeNode,
  terminateChild,
} from "../../../src/otp.ts";
import type { Spec } from "./otp-model.ts";
import { codeOf, RealTree } from "./real-tree.ts";

interface RecordedSpec {
  readonly id: string;
  readonly restart: RestartType;
  readonly kind?: "dynamic";
  readonly shutdown?: "brutal_kill";
  readonly significant?: boolean;
  readonly strategy?: Strategy;
  readonly maxRestarts?: number;
  readonly autoShutdown?: AutoShutdown;
  readonly maxChildren?: number;
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

/** What was recorded from one kind of supervisor, which `from` names. */
interface Recordings {
  readonly from: string;
  readonly recordings: readonly Recording[];
}

const folder = new URL("./recordings/", import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".json.txt"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Recordings);

function specOf(recorded: RecordedSpec): Spec {
  const { id, restart, kind, children, maxRestarts } = recorded;
  return {
    id,
    kind: kind ?? (children === undefined ? "worker" : "supervisor"),
    restart,
    shutdown: recorded.shutdown ?? "time",
    stubborn: false,
    significant: recorded.significant ?? false,
    autoShutdown: recorded.autoShutdown ?? "never",
    maxChildren: recorded.maxChildren ?? 1_000,
    strategy: recorded.strategy ?? "one_for_one",
    intensity: { maxRestarts: maxRestarts ?? 0, withinMs: 1e9 },
    children: (children ?? []).map(specOf),
  };
}

/** A dynamic supervisor ends its children together: ends that follow each other have no order then. */
function withoutOrder(log: string): string {
  return log.replace(/-\w+(?: -\w+)+/g, (ends) => ends.split(" ").toSorted().join(" "));
}

function treeText({ id, children }: TreeNode, dynamic: ReadonlySet<string>): string {
  const texts = children.map((child) => {
    if (child.status !== "running") return `${child.id}:${child.status}`;
    return child.type === "worker" ? child.id : `${child.id}${treeText(child, dynamic)}`;
  });
  return `[${(dynamic.has(id) ? texts.toSorted() : texts).join(",")}]`;
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
      send(real.ref(id), { type: name });
      return "-";
  }
}

// Random trees with the commands they were given, each with what Erlang's or Elixir's own supervisors answered, the order
// in which their children started and ended, and the tree there was then (`supervisor:which_children/1`).
// `recordings/record.escript` makes them; that of random-trees is lost.
describe.each(files)("does what was recorded from $from", ({ recordings }) => {
  it.each(recordings.map((recording, index) => [index, recording] as const))(
    "recording %i",
    async (_, { root, start, steps, stop }) => {
      const real = new RealTree(specOf(root));
      const pools = (root.children ?? []).flatMap(({ id, kind }) => (kind === "dynamic" ? [id] : []));
      const dynamic = new Set(pools);
      const order = dynamic.size > 0 ? withoutOrder : (log: string) => log;
      const seen = async () => {
        await real.clock.advanceAsync(0);
        const log = order(real.log.splice(0).join(" "));
        return { log, tree: real.closed === undefined ? treeText(real.system.tree(), dynamic) : "dead" };
      };
      expect(await seen()).toEqual(start);
      for (const { command, ...expected } of steps) {
        const result = await carryOut(real, command);
        expect({ result, ...(await seen()) }, JSON.stringify(command)).toEqual({
          ...expected,
          log: order(expected.log),
        });
      }
      await real.system.shutdown();
      expect((await seen()).log).toBe(order(stop.log));
      expect(real.clock.pending).toBe(0);
    },
  );
});

it("has recordings of every kind", () => {
  expect(files.map(({ recordings }) => recordings.length >= 30)).toEqual([true, true, true, true, true]);
});
