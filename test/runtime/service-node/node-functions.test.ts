import { expect, test } from "vitest";
import { Modules } from "../../../src/config/modules.ts";
import { systemClock } from "../../../src/core/time/clock.ts";
import type { WorkerTarget } from "../../../src/execution/worker-call.ts";
import { NodeFunctions } from "../../../src/runtime/service-node/node-functions.ts";
import { createCall, createStream } from "../../node/sessions.ts";

const url = new URL("../../fixtures/main-functions.js", import.meta.url).href;

test("a node's threads know whose a call is, whether a function waits for it, and where its own calls go", () => {
  const given: WorkerTarget[] = [];
  const task = { cancel: () => undefined, grant: () => undefined, acknowledge: () => undefined };
  const take = (target: WorkerTarget) => {
    given.push(target);
    return task;
  };
  const functions = new NodeFunctions({
    program: { name: "n1", clock: systemClock },
    pools: { async: { run: take }, stream: { stream: take } } as never,
    mainFunctions: {} as never,
    builtIn: new Map(),
    modules: new Modules([["m", url]]),
    mfaAllowlist: null,
  });
  const share = { identity: "user u1", connection: "c1" };
  const carried: string[] = [];
  const running = { cancel: () => undefined, grant: () => undefined };
  const carry: NonNullable<WorkerTarget["carry"]> = ({ requestType }) => {
    carried.push(requestType);
    return running;
  };
  const of = { module: "m", moduleName: "m", function: "echo", share, isNested: true, carry };
  functions.run(createCall(of).call);
  functions.stream(createStream(of).stream);
  const request = { service: "s", requestType: "f", args: "{}", version: null, timeoutMs: null, isStream: false };
  expect(given.length).toBe(2);
  for (const target of given) {
    expect(target).toMatchObject({ module: url, function: "echo", isNested: true });
    expect(target.share).toBe(share);
    expect(target.carry?.(request, { onResponse: () => undefined })).toBe(running);
  }
  expect(carried).toEqual(["f", "f"]);
});
