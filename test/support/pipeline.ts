import { afterEach } from "vitest";
import type { Attempt, Executor } from "../../src/call/attempt.ts";
import { type CompiledFunction, compileFunction } from "../../src/call/functions/compile-function.ts";
import { type IdempotencyOptions, idempotencyDefaults } from "../../src/call/idempotency/idempotency-options.ts";
import { KeyedCalls } from "../../src/call/idempotency/keyed-calls.ts";
import { mainThread, mainThreadStreams } from "../../src/call/main-thread.ts";
import type { Caller, ReplyTo } from "../../src/call/request/caller.ts";
import { RequestCounts } from "../../src/call/request/request-counts.ts";
import { RunningCalls } from "../../src/call/request/running-calls.ts";
import { ResumableStreams } from "../../src/call/resume/resumable-streams.ts";
import { type StreamsOptions, streamsDefaults } from "../../src/call/resume/streams-options.ts";
import { Pipeline } from "../../src/call/stages/pipeline.ts";
import type { StreamCall, StreamExecutor } from "../../src/call/stream-call.ts";
import type { FunConfigInput } from "../../src/config/fun-config.ts";
import { FunctionTable } from "../../src/config/function-table.ts";
import { Modules } from "../../src/config/modules.ts";
import { Deadlines } from "../../src/core/time/deadlines.ts";
import { MainFunctions } from "../../src/execution/main-functions.ts";
import { RateLimiter } from "../../src/policy/rate-limiter/rate-limiter.ts";
import { NodeSelector } from "../../src/policy/selection/node-selector.ts";
import { FakeNodes } from "./fake-nodes.ts";
import { SimulatedClock } from "./simulated-clock.ts";

const fixture = new URL("../fixtures/main-functions.js", import.meta.url).href;
const resolvers = new URL("../fixtures/resolvers.js", import.meta.url).href;

/** One Response as it went out, with the reply that went with it. */
interface Sent {
  readonly response: Record<string, unknown>;
  readonly reply: { readonly status: string; readonly response: unknown } | null;
}

/** A stream of the worker's that the test produces itself. */
interface TestStream {
  readonly stream: StreamCall;
  granted: number;
  acknowledged: number;
  cancelled: string | null;
}

/** The option `streams` of the pipelines; a test may change it before it opens one. */
export const streamsOptions: { -readonly [Name in keyof StreamsOptions]-?: number } = { ...streamsDefaults };

/** The option `idempotency` of the pipelines; a test may change it before it opens one. */
export const idempotencyOptions: { -readonly [Name in keyof IdempotencyOptions]-?: number } = {
  ...idempotencyDefaults,
};

/** The random factor of retry delays is 1. */
const random = () => 0.5;

const opened: {
  readonly running: RunningCalls;
  readonly resumable: ResumableStreams;
  readonly keyedCalls: KeyedCalls;
  readonly deadlines: Deadlines;
}[] = [];

afterEach(() => {
  Object.assign(streamsOptions, streamsDefaults);
  Object.assign(idempotencyOptions, idempotencyDefaults);
  for (const { running, resumable, keyedCalls, deadlines } of opened.splice(0)) {
    running.abortAll("stopped");
    resumable.close();
    keyedCalls.close();
    deadlines.close();
  }
});

/** A pipeline whose worker is a box of attempts that the test settles itself. */
export async function pipelineOf(...configs: Partial<FunConfigInput>[]) {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  const functionTable = new FunctionTable<CompiledFunction>();
  const sources = {
    gateway: "test",
    clock,
    modules: new Modules([
      ["m", fixture],
      ["resolvers", resolvers],
    ]),
    mfaAllowlist: null,
    mainFunctions: new MainFunctions(clock),
    verifyOnWorker: async () => "function" as const,
  };
  for (const config of configs) {
    const base = {
      service: "s",
      nodes: "local",
      timeout: 1_000,
      mfa: `m.${config.requestType}`,
      runOn: "main",
    } as const;
    functionTable.put(await compileFunction({ ...base, ...config }, sources));
  }
  const running = new RunningCalls();
  const resumable = new ResumableStreams("test", clock, streamsOptions);
  const keyedCalls = new KeyedCalls("test", clock, idempotencyOptions);
  opened.push({ running, resumable, keyedCalls, deadlines });
  const onWorker: { attempt: Attempt; cancelled: string | null }[] = [];
  const worker: Executor = {
    run(attempt) {
      const entry = { attempt, cancelled: null as string | null };
      onWorker.push(entry);
      return { cancel: (reason) => (entry.cancelled = reason) };
    },
  };
  const streams: TestStream[] = [];
  const workerStreams: StreamExecutor = {
    stream(stream) {
      const entry: TestStream = { stream, granted: 0, acknowledged: 0, cancelled: null };
      streams.push(entry);
      return {
        cancel: (reason) => {
          entry.cancelled = reason;
        },
        grant: (chunks) => {
          entry.granted += chunks;
        },
        acknowledge: (chunks) => {
          entry.acknowledged += chunks;
        },
      };
    },
  };
  /** Stands for the actor that starts a stream: at once, until the test says otherwise. */
  const streamStart = { start: (stream: StreamCall) => stream.start(() => undefined) };
  const rateLimiter = new RateLimiter("test", clock);
  const nodes = new FakeNodes();
  const nodeSelector = new NodeSelector(clock, random);
  /** Services whose functions are still to come. */
  const expected = new Set<string>();
  const executors = {
    main: mainThread({ name: "test", clock }),
    worker,
    mainStreams: mainThreadStreams({ name: "test", clock }),
    workerStreams,
  };
  const counts = new RequestCounts();
  const pipeline: Pipeline = new Pipeline({
    gateway: "test",
    clock,
    deadlines,
    running,
    counts,
    random,
    functionTable: functionTable,
    compile: (config) => compileFunction(config, sources),
    executors,
    rateLimiter,
    nodes,
    nodeSelector,
    mayHave: (service) => expected.has(service),
    resumable,
    keyedCalls,
    across: null,
    nested: { clock, requests: () => pipeline, maxCallDepth: 16, maxPayloadBytes: 1_000 },
    startStream: (stream) => streamStart.start(stream),
    streamStallTimeoutMs: 60_000,
    maxPayloadBytes: 1_000,
    maxResultBytes: 1_000,
    detailError: () => false,
  });
  const sent: Sent[] = [];
  const replies: { status: string; response: unknown }[] = [];
  /** The client's socket: full until the test says otherwise. */
  const socket = {
    isReady: true,
    waiting: [] as (() => void)[],
    drain() {
      socket.isReady = true;
      for (const run of socket.waiting.splice(0)) run();
    },
  };
  const replyTo: ReplyTo = {
    answer: (response, status, reply) =>
      sent.push({ response: JSON.parse(response), reply: { status, response: JSON.parse(reply) } }),
    push: (response) => sent.push({ response: JSON.parse(response), reply: null }),
    get isReady() {
      return socket.isReady;
    },
    whenReady: (run) => socket.waiting.push(run),
    reply: (status, reply) => replies.push({ status, response: JSON.parse(reply) }),
  };
  const caller = (identity: Partial<Caller> = {}): Caller => ({
    userId: "u1",
    deviceId: "d1",
    userRoles: ["user"],
    ipAddress: null,
    topic: "api:1",
    claims: {},
    trace: null,
    depth: 0,
    share: { identity: "user u1", connection: "c1" },
    overrideUserId: true,
    requireVerifiedUserId: false,
    calls: new RunningCalls(),
    ...identity,
  });
  const request = (requestType: string, more: Record<string, unknown> = {}, by = caller()) => {
    pipeline.handle({ service: "s", request_type: requestType, request_id: "r1", ...more }, 100, by, replyTo, 100);
    return by;
  };
  return {
    clock,
    functionTable,
    pipeline,
    counts,
    running,
    resumable,
    keyedCalls,
    sent,
    replies,
    streams,
    streamStart,
    socket,
    executors,
    request,
    caller,
    onWorker,
    replyTo,
    nodes,
    nodeSelector,
    rateLimiter,
    expected,
  };
}
