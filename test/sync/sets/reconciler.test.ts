import { expect, test } from "vitest";
import { fromGenServer, refuse } from "../../../src/actor/gen-server/gen-server.ts";
import { startSystem } from "../../../src/actor/system.ts";
import { parseFunConfig } from "../../../src/config/fun-config.ts";
import type { FunctionTableRef } from "../../../src/config/function-table.actor.ts";
import { type ConfigEntry, FunctionTable } from "../../../src/config/function-table.ts";
import { libraryError } from "../../../src/core/errors.ts";
import { Turns } from "../../../src/core/time/turns.ts";
import { FunctionSets, functionKey } from "../../../src/sync/sets/function-sets.ts";
import { Reconciler } from "../../../src/sync/sets/reconciler.ts";
import { codeOf } from "../../actor/supervisor/real-tree.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { fun, idle } from "../open-receiver.ts";

/** A reconciler with one function to bring, whose table's owner answers with one code after another; "ok" accepts. */
function openReconciler(codes: string[]) {
  const clock = new SimulatedClock();
  const asked: string[] = [];
  const owner = fromGenServer({
    init: () => null,
    handleCall: {
      reconcile() {
        const code = codes.shift() ?? "ok";
        asked.push(code);
        return code === "ok" ? undefined : refuse(libraryError(code as "failed", code));
      },
    },
  });
  const system = startSystem({ name: "test", clock, children: [{ id: "owner", name: "owner", logic: owner }] });
  const sets = new FunctionSets();
  const entry: ConfigEntry = { config: parseFunConfig(fun("get")) };
  const held = { requestType: "get", version: null, hash: "h", sent: {}, entry, nodes: null };
  const after = {
    functions: new Map([[functionKey("get", null), held]]),
    count: 1,
    configVersion: "1",
    functionsHash: null,
    nodes: ["a"],
    origin: "pushed" as const,
    pull: null,
    isOwn: true,
  };
  sets.put("users", "a", after);
  const reconciler = new Reconciler(
    {
      clock,
      functionTable: new FunctionTable<ConfigEntry>(),
      sets,
      owner: () => system.whereis<FunctionTableRef>("owner"),
      withNodes: (each) => each,
    },
    new Turns(),
  );
  return { clock, asked, reconciled: codeOf(reconciler.replaced("users", undefined, after)) };
}

test("The table is brought up to date again and again while its owner is gone", async () => {
  const { clock, asked, reconciled } = openReconciler(["noproc", "noproc", "ok"]);
  for (let tries = 1; tries <= 3; tries++) {
    await idle();
    expect(asked).toHaveLength(tries);
    await clock.advanceAsync(100);
  }
  await idle();
  // It came, and nothing was there that had to go.
  expect(asked.filter((code) => code === "noproc")).toHaveLength(2);
  expect([await reconciled, clock.pending]).toEqual(["ok", 0]);
});

test.each(["failed", "timeout"])(
  "An owner that answers with %s is not asked again: it will not say anything else",
  async (code) => {
    const { clock, asked, reconciled } = openReconciler([code, "ok"]);
    await idle();
    expect(await reconciled).toBe(code);
    await clock.advanceAsync(1_000);
    expect([asked, clock.pending]).toEqual([[code], 0]);
  },
);
