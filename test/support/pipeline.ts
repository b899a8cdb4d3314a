import type { Attempt, Executor } from "../../src/call/attempt.ts";
import type { Caller, ReplyTo } from "../../src/call/caller.ts";
import { type CompiledFunction, compileFunction } from "../../src/call/compile-function.ts";
import { Pipeline } from "../../src/call/pipeline.ts";
import { mainThread } from "../../src/call/run-on-main.ts";
import { RunningCalls } from "../../src/call/running-calls.ts";
import { ConfigStore } from "../../src/config/config-store.ts";
import type { FunConfigInput } from "../../src/config/fun-config.ts";
import { Deadlines } from "../../src/core/deadlines.ts";
import { SimulatedClock } from "./simulated-clock.ts";

const fixture = new URL("../fixtures/main-functions.js", import.meta.url).href;

/** One Response as it went out, with the reply that went with it. */
export interface Sent {
  readonly response: Record<string, unknown>;
  readonly reply: { readonly status: string; readonly response: unknown } | null;
}

/** A pipeline whose worker is a box of attempts that the test settles itself. */
/** The random factor of retry delays is 1. */
const random = () => 0.5;

export async function pipelineOf(...configs: Partial<FunConfigInput>[]) {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  const store = new ConfigStore<CompiledFunction>();
  const sources = { modules: new Map([["m", fixture]]), mfaAllowlist: null, verifyOnWorker: async () => undefined };
  for (const config of configs) {
    const base = {
      service: "s",
      nodes: "local",
      timeout: 1_000,
      mfa: `m.${config.requestType}`,
      runOn: "main",
    } as const;
    store.put(await compileFunction({ ...base, ...config }, sources));
  }
  const running = new RunningCalls();
  const onWorker: { attempt: Attempt; cancelled: string | null }[] = [];
  const worker: Executor = {
    run(attempt) {
      const entry = { attempt, cancelled: null as string | null };
      onWorker.push(entry);
      return { cancel: (reason) => (entry.cancelled = reason) };
    },
  };
  const pipeline = new Pipeline({
    gateway: "test",
    clock,
    deadlines,
    running,
    random,
    functions: store,
    compile: (config) => compileFunction(config, sources),
    executors: { main: mainThread, worker },
    maxPayloadBytes: 1_000,
    maxResultBytes: 1_000,
    detailError: () => false,
  });
  const sent: Sent[] = [];
  const replies: { status: string; response: unknown }[] = [];
  const replyTo: ReplyTo = {
    answer: (response, status, reply) =>
      sent.push({ response: JSON.parse(response), reply: { status, response: JSON.parse(reply) } }),
    push: (response) => sent.push({ response: JSON.parse(response), reply: null }),
    reply: (status, reply) => replies.push({ status, response: JSON.parse(reply) }),
  };
  const caller = (identity: Partial<Caller> = {}): Caller => ({
    userId: "u1",
    deviceId: "d1",
    userRoles: ["user"],
    ipAddress: null,
    trace: null,
    overrideUserId: true,
    requireVerifiedUserId: false,
    calls: new RunningCalls(),
    ...identity,
  });
  const request = (requestType: string, more: Record<string, unknown> = {}, by = caller()) => {
    pipeline.handle({ service: "s", request_type: requestType, request_id: "r1", ...more }, 100, by, replyTo);
    return by;
  };
  return { clock, store, pipeline, running, sent, replies, request, caller, onWorker, replyTo };
}
