import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { HostCalls } from "../../src/call/host-calls.ts";
import { pipelineOf } from "../support/pipeline.ts";

const echo = { requestType: "echo", runOn: "worker" } as const;
const named = { service: "s", requestType: "echo" };

test("a call leaves nothing on the signal that it was given, however it ends", async () => {
  const { pipeline, clock, onWorker } = await pipelineOf(echo);
  const host = new HostCalls(pipeline, clock);
  const { signal } = new AbortController();
  const answered = host.request(named, { signal, timeoutMs: 500 });
  const late = host.request(named, { signal, timeoutMs: 500 });
  expect(getEventListeners(signal, "abort").length).toBe(2);
  onWorker[0]?.attempt.succeeded("1");
  expect(await answered).toMatchObject({ result: 1 });
  clock.advance(500);
  expect(await late).toMatchObject({ error_code: "timeout", error: "Request timed out after 500 ms" });
  expect(getEventListeners(signal, "abort").length).toBe(0);
  clock.advance(100_000);
  expect(clock.pending).toBe(0);
});

test("a signal that has aborted already cancels before anything runs", async () => {
  const { pipeline, clock, onWorker } = await pipelineOf(echo);
  const host = new HostCalls(pipeline, clock);
  await expect(host.call(named, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
  expect(onWorker).toEqual([]);
});

test("an empty user id is nobody", async () => {
  const { pipeline, clock } = await pipelineOf({ requestType: "echo", checkPermission: "any_authenticated" });
  const host = new HostCalls(pipeline, clock);
  await expect(host.call({ ...named, userId: "" })).rejects.toMatchObject({ code: "permission_denied" });
});
