import type { Attempt, Executor } from "../../src/call/attempt.ts";
import type { Caller, ReplyTo } from "../../src/call/caller.ts";
import { type CompiledFunction, compileFunction } from "../../src/call/compile-function.ts";
import { Pipeline } from "../../src/call/pipeline.ts";
import { RequestCounts } from "../../src/call/request-counts.ts";
import { mainThread } from "../../src/call/run-on-main.ts";
import { RunningCalls } from "../../src/call/running-calls.ts";
import type { StreamCall, StreamExecutor } from "../../src/call/stream-call.ts";
import { mainThreadStreams } from "../../src/call/stream-on-main.ts";
import { ConfigStore } from "../../src/config/config-store.ts";
import type { FunConfigInput } from "../../src/config/fun-config.ts";
import { Deadlines } from "../../src/core/deadlines.ts";
import { NodeSelector } from "../../src/policy/node-selector.ts";
import { RateLimiter } from "../../src/policy/rate-limiter.ts";
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
  cancelled: string | null;
}

/** The random factor of retry delays is 1. */
const random = () => 0.5;

/** A pipeline whose worker is a box of attempts that the test settles itself. */
export async function pipelineOf(...configs: Partial<FunConfigInput>[]) {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  const store = new ConfigStore<CompiledFunction>();
  const sources = {
    gateway: "test",
    clock,
    modules: new Map([
      ["m", fixture],
      ["resolvers", resolvers],
    ]),
    mfaAllowlist: null,
    verifyOnWorker: async () => undefined,
  };
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
  const streams: TestStream[] = [];
  const workerStreams: StreamExecutor = {
    stream(stream) {
      const entry: TestStream = { stream, granted: 0, cancelled: null };
      streams.push(entry);
      return {
        cancel: (reason) => {
          entry.cancelled = reason;
        },
        grant: (chunks) => {
          entry.granted += chunks;
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
  const pipeline = new Pipeline({
    gateway: "test",
    clock,
    deadlines,
    running,
    counts,
    random,
    functions: store,
    compile: (config) => compileFunction(config, sources),
    executors,
    rateLimiter,
    nodes,
    nodeSelector,
    isExpected: (service) => expected.has(service),
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
  return {
    clock,
    store,
    pipeline,
    counts,
    running,
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
    expected,
  };
}
