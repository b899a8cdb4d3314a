import { expect, test } from "vitest";
import { notRun } from "../../../src/node/calls/not-run.ts";
import { callNode } from "../../../src/runtime/gateway/call-node.ts";
import { ScriptedExecutor } from "../../node/sessions.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const mfa = { module: "users", function: "list", args: [] };

/** A call with 5 s, and how to give it up. */
function open(node = new ScriptedExecutor()) {
  const clock = new SimulatedClock();
  const controller = new AbortController();
  const answer = callNode(node, mfa, { timeoutMs: 5_000, signal: controller.signal }, clock);
  return { node, clock, answer, controller };
}

test("A call of a node's function is answered with what it returned, or threw", async () => {
  const { node, clock, answer } = open();
  node.calls[0]?.succeeded('{"a":[1]}');
  expect(await answer).toEqual({ a: [1] });
  const failing = open();
  failing.node.calls[0]?.failed(notRun("down"), true);
  await expect(failing.answer).rejects.toBe(notRun("down"));
  expect([clock.pending, failing.clock.pending]).toEqual([0, 0]);
});

test("A call that the node's session refuses at once leaves no timer", async () => {
  const full = new ScriptedExecutor();
  full.onCall = ({ failed }) => failed(notRun("full"), false);
  const { clock, answer } = open(full);
  await expect(answer).rejects.toMatchObject({ code: "unavailable" });
  expect(clock.pending).toBe(0);
});

test("A call that takes too long, or that nobody waits for any more, is cancelled on the node", async () => {
  const late = open();
  late.clock.advance(5_000);
  await expect(late.answer).rejects.toMatchObject({ code: "timeout" });
  const given = open();
  given.controller.abort();
  await expect(given.answer).rejects.toMatchObject({ code: "stopped" });
  const reasons = [late, given].map(({ node }) => node.cancelled.map(({ reason }) => reason));
  expect([reasons, given.clock.pending]).toEqual([[["timeout"], ["stopped"]], 0]);
});
