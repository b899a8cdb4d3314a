import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as otp from "../../src/otp.ts";
import {
  type ActorRef,
  call,
  cast,
  childSpec,
  countChildren,
  createRegistry,
  deleteChild,
  demonitor,
  exitOf,
  type From,
  fromDynamicSupervisor,
  fromGenServer,
  fromResource,
  fromSupervisor,
  isAlive,
  isGenApiError,
  kill,
  monitor,
  noReply,
  type Registry,
  type ResourceScope,
  refuse,
  reply,
  restartChild,
  type Server,
  type System,
  send,
  startChild,
  startSystem,
  stop,
  systemClock,
  Task,
  terminateChild,
  whereis,
  whichChildren,
} from "../../src/otp.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

const boom = () => {
  throw new Error("boom");
};
function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}
/** A Proxy of which nothing can be asked. */
const hostileProxy = (target: object) =>
  new Proxy(target, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom, getOwnPropertyDescriptor: boom });
const fieldNames = [
  ..."id,logic,input,name,restart,shutdown,significant,type,children,strategy,intensity,autoShutdown".split(","),
  ..."maxChildren,clock,inspect,init,handleCall,timeoutMs,caller,signal,keys,observer,next,sessionId".split(","),
  ..."send,settle,fail,error,code,cause,close,then,ref,length".split(","),
];
function throwing(): object {
  const made = {};
  for (const field of fieldNames) Object.defineProperty(made, field, { get: boom, enumerable: true });
  return made;
}
function cyclic(): object {
  const made: Record<string, unknown> = {};
  for (const field of fieldNames) made[field] = made;
  return made;
}

/** What nobody who calls a function should give it, and callers in JavaScript do. */
const hostile: Readonly<Record<string, () => unknown>> = {
  nothing: () => undefined,
  null: () => null,
  true: () => true,
  "an empty text": () => "",
  "a text": () => "nobody",
  "a huge text": () => "x".repeat(1_000_000),
  zero: () => 0,
  "-1": () => -1,
  "half of one": () => 0.5,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  "a huge number": () => 1e300,
  "a huge integer": () => 10n ** 10_000n,
  "a symbol": () => Symbol("s"),
  "a function": () => () => undefined,
  "a class": () => class {},
  "a list": () => [],
  "a list of billions": () => new Array(2 ** 32 - 1),
  "a map": () => ({}),
  "a map without a prototype": () => Object.create(null),
  "a cyclic object": cyclic,
  "an object whose getters throw": throwing,
  "a revoked Proxy": () => revoked({}),
  "a revoked Proxy of a list": () => revoked([]),
  "a revoked Proxy of a function": () => revoked(() => undefined),
  "a Proxy that throws": () => hostileProxy({}),
  "a Proxy of a function that throws": () => hostileProxy(() => undefined),
  "a promise": () => Promise.resolve(),
  // biome-ignore lint/suspicious/noThenProperty: this is what is tested
  "a thenable that never settles": () => ({ then: () => undefined }),
  // biome-ignore lint/suspicious/noThenProperty: this is what is tested
  "a thenable that throws": () => ({ then: boom }),
  "a date": () => new Date(0),
  "an Error": () => new Error("an error"),
};
type Value = keyof typeof hostile;

const functionLike = ["a function", "a class", "a revoked Proxy of a function", "a Proxy of a function that throws"];
const texts = ["an empty text", "a text", "a huge text"];
const durations = ["zero", "half of one", "a huge number"];
const emptyMaps = ["a map", "a map without a prototype"];
const optional = ["nothing"];
// Dates, Errors and thenables are objects without any field that could be wrong.
const maps = [...emptyMaps, "a date", "an Error"];

const counter = fromGenServer({
  init: (_input: undefined, server) => ({ server, froms: [] as From<number>[] }),
  handleCall: {
    serve: (state) => [state.server],
    wait: (state, _argument: undefined, from: From<number>) => {
      state.froms.push(from);
      return noReply;
    },
  },
  handleCast: { set: () => undefined },
});
const scopes: ResourceScope<undefined>[] = [];
const idle = fromResource((scope) => {
  scopes.push(scope);
  return () => undefined;
});

/** As callers in JavaScript have them. */
const callAny = call as (ref: unknown, name: unknown) => Promise<unknown>;
const castAny = cast as (ref: unknown, name: unknown) => void;

let clock: SimulatedClock;
let system: System;
let ref: ActorRef;
let server: Server;
let registry: Registry<unknown, unknown>;
const escaped: unknown[] = [];
const uncaught = (error: unknown) => escaped.push(error);

beforeEach(async () => {
  process.on("uncaughtException", uncaught).on("unhandledRejection", uncaught);
  clock = new SimulatedClock();
  system = startSystem({
    name: "root",
    clock,
    children: [
      { id: "counter", name: "counter", logic: counter },
      { id: "idle", name: "idle", logic: idle },
      { id: "dynamic", name: "dynamic", logic: fromDynamicSupervisor() },
    ],
  });
  ref = system.whereis("counter") as ActorRef;
  [server] = (await callAny(ref, "serve")) as [Server];
  registry = createRegistry({ keys: "duplicate" });
});
afterEach(async () => {
  await system.shutdown();
  await settled();
  process.off("uncaughtException", uncaught).off("unhandledRejection", uncaught);
  expect(escaped.splice(0)).toEqual([]);
  scopes.length = 0;
});

/** One argument of one function: how to call it with a value in that place, and which of the values it may be. */
interface Argument {
  readonly of: string;
  readonly give: (value: never) => unknown;
  readonly takes: readonly Value[];
  /** What it takes, and would be busy with for hours. */
  readonly without?: readonly Value[];
}
const all = Object.keys(hostile);
let ids = 0;
const newId = () => `new_${++ids}`;

const entry: readonly Argument[] = [
  { of: "startSystem", give: (options) => startSystem(options), takes: [] },
  { of: "startSystem name", give: (name) => startSystem({ name, children: [] }).shutdown(), takes: texts.slice(1) },
  { of: "startSystem children", give: (children) => end(startSystem({ name: "a", children })), takes: ["a list"] },
  { of: "startSystem child", give: (child) => startSystem({ name: "a", children: [child] }), takes: [] },
  {
    of: "startSystem strategy",
    give: (strategy) => end(startSystem({ name: "a", children: [], strategy })),
    takes: optional,
  },
  {
    of: "startSystem intensity",
    give: (intensity) => end(startSystem({ name: "a", children: [], intensity })),
    takes: optional,
  },
  { of: "startSystem clock", give: (clock) => end(startSystem({ name: "a", children: [], clock })), takes: optional },
  {
    of: "startSystem inspect",
    give: (inspect) => end(startSystem({ name: "a", children: [], inspect })),
    takes: [...optional, ...functionLike],
  },
  { of: "childSpec", give: (spec) => childSpec(spec), takes: [] },
  { of: "childSpec id", give: (id) => childSpec({ id, logic: idle }), takes: texts.slice(1) },
  { of: "childSpec logic", give: (logic) => childSpec({ id: "a", logic }), takes: [] },
  { of: "childSpec input", give: (input) => childSpec({ id: "a", logic: idle, input }), takes: all },
  {
    of: "childSpec name",
    give: (name) => childSpec({ id: "a", logic: idle, name }),
    takes: [...optional, ...texts.slice(1)],
  },
  { of: "childSpec restart", give: (restart) => childSpec({ id: "a", logic: idle, restart }), takes: optional },
  {
    of: "childSpec shutdown",
    give: (shutdown) => childSpec({ id: "a", logic: idle, shutdown }),
    takes: [...optional, ...durations],
  },
  {
    of: "childSpec significant",
    give: (significant) => childSpec({ id: "a", logic: idle, significant }),
    takes: [...optional, "true"],
  },
  { of: "childSpec type", give: (type) => childSpec({ id: "a", logic: idle, type }), takes: optional },
  { of: "fromSupervisor", give: (options) => fromSupervisor(options), takes: [] },
  { of: "fromSupervisor children", give: (children) => fromSupervisor({ children }), takes: ["a list"] },
  { of: "fromSupervisor child", give: (child) => fromSupervisor({ children: [child] }), takes: [] },
  {
    of: "fromSupervisor autoShutdown",
    give: (autoShutdown) => fromSupervisor({ children: [], autoShutdown }),
    takes: optional,
  },
  {
    of: "fromDynamicSupervisor",
    give: (options) => fromDynamicSupervisor(options),
    takes: [...optional, ...maps, "a promise"],
  },
  {
    of: "fromDynamicSupervisor maxChildren",
    give: (maxChildren) => fromDynamicSupervisor({ maxChildren }),
    takes: optional,
  },
  {
    of: "fromDynamicSupervisor maxRestarts",
    give: (maxRestarts) => fromDynamicSupervisor({ intensity: { maxRestarts, withinMs: 1 } }),
    takes: ["zero"],
  },
  {
    of: "fromDynamicSupervisor withinMs",
    give: (withinMs) => fromDynamicSupervisor({ intensity: { maxRestarts: 1, withinMs } }),
    takes: durations,
  },
  { of: "fromGenServer", give: (options) => fromGenServer(options), takes: [] },
  { of: "fromGenServer init", give: (init) => fromGenServer({ init }), takes: functionLike },
  {
    of: "fromGenServer handleCall",
    give: (handleCall) => fromGenServer({ init: () => 0, handleCall }),
    takes: [
      ...optional,
      ...maps,
      "a list",
      "a list of billions",
      "a promise",
      "a thenable that never settles",
      "a thenable that throws",
    ],
  },
  {
    of: "fromGenServer a handler",
    give: (a) => fromGenServer({ init: () => 0, handleCast: { a } }),
    takes: functionLike,
  },
  {
    of: "fromGenServer terminate",
    give: (terminate) => fromGenServer({ init: () => 0, terminate }),
    takes: [...optional, ...functionLike],
  },
  { of: "fromResource", give: (open) => fromResource(open), takes: functionLike },
  { of: "startChild", give: (supervisor) => startChild(supervisor, { id: "a", logic: idle }), takes: [] },
  { of: "startChild spec", give: (spec) => startChild(system.root, spec), takes: [] },
  {
    of: "startChild options",
    give: (options) => startChild(system.root, { id: newId(), logic: idle }, options),
    takes: [...optional, ...maps, "a promise"],
  },
  { of: "terminateChild", give: (supervisor) => terminateChild(supervisor, "idle"), takes: [] },
  { of: "terminateChild id", give: (id) => terminateChild(system.root, id), takes: [] },
  {
    of: "terminateChild timeoutMs",
    give: (timeoutMs) => terminateChild(system.root, "idle", { timeoutMs }),
    takes: [...optional, ...durations],
  },
  { of: "restartChild", give: (supervisor) => restartChild(supervisor, "idle"), takes: [] },
  { of: "restartChild id", give: (id) => restartChild(system.root, id), takes: [] },
  { of: "deleteChild", give: (supervisor) => deleteChild(supervisor, "idle"), takes: [] },
  { of: "deleteChild id", give: (id) => deleteChild(system.root, id), takes: [] },
  { of: "whichChildren", give: (supervisor) => whichChildren(supervisor), takes: [] },
  { of: "countChildren", give: (supervisor) => countChildren(supervisor), takes: [] },
  { of: "call", give: (server) => callAny(server, "serve"), takes: [] },
  { of: "call name", give: (name) => callAny(ref, name), takes: [] },
  { of: "call argument", give: (argument) => call(ref as never, "serve" as never, argument), takes: all },
  {
    of: "call options",
    give: (options) => call(ref as never, "serve" as never, undefined as never, options),
    takes: [...optional, ...maps, "a promise"],
  },
  {
    of: "call timeoutMs",
    give: (timeoutMs) => call(ref as never, "serve" as never, undefined as never, { timeoutMs } as never),
    takes: [...optional, ...durations],
  },
  { of: "cast", give: (server) => castAny(server, "set"), takes: optional },
  { of: "cast name", give: (name) => castAny(ref, name), takes: [] },
  { of: "cast argument", give: (argument) => cast(ref as never, "set" as never, argument), takes: all },
  { of: "send", give: (actor) => send(actor, { type: "a" }), takes: optional },
  { of: "send event", give: (event) => send(ref, event), takes: [] },
  { of: "isAlive", give: (actor) => isAlive(actor), takes: [] },
  { of: "exitOf", give: (actor) => exitOf(actor), takes: [] },
  { of: "kill", give: (actor) => kill(actor), takes: optional },
  { of: "kill reason", give: (reason) => kill(ref, reason), takes: [...optional, "an Error"] },
  { of: "reply", give: (from) => reply(from, 1), takes: [] },
  { of: "reply value", give: (value) => reply({ settle: () => undefined, fail: () => undefined }, value), takes: all },
  { of: "stop", give: (reason) => stop(reason), takes: [] },
  { of: "stop reply", give: (value) => stop("normal", value), takes: all },
  { of: "refuse", give: (error) => refuse(error), takes: ["an Error"] },
  { of: "whereis", give: (name) => whereis(name), takes: texts },
  { of: "monitor", give: (actor) => monitor(actor, () => undefined), takes: [] },
  { of: "monitor onDown", give: (onDown) => demonitor(monitor(ref, onDown)), takes: functionLike },
  { of: "demonitor", give: (watch) => demonitor(watch), takes: [] },
  { of: "createRegistry", give: (options) => createRegistry(options), takes: [] },
  { of: "createRegistry keys", give: (keys) => createRegistry({ keys }), takes: [] },
  { of: "Task.async", give: (supervisor) => settle(Task.async(supervisor, () => 1)), takes: [] },
  { of: "Task.async run", give: (run) => settle(Task.async(tasks(), run)), takes: functionLike },
  {
    of: "Task.async options",
    give: (options) => settle(Task.async(tasks(), () => 1, options)),
    takes: [...optional, ...maps, "a promise"],
  },
  { of: "Task.async caller", give: (caller) => settle(Task.async(tasks(), () => 1, { caller })), takes: optional },
  { of: "Task.async signal", give: (signal) => settle(Task.async(tasks(), () => 1, { signal })), takes: optional },
  { of: "Task.await", give: (task) => Task.await(task), takes: [] },
  {
    of: "Task.await timeoutMs",
    give: (timeoutMs) =>
      Task.await(
        Task.async(tasks(), () => 1),
        timeoutMs,
      ),
    takes: [...optional, ...durations],
  },
  { of: "Task.shutdown", give: (task) => Task.shutdown(task), takes: [] },
  { of: "Task.asyncStream", give: (supervisor) => each(Task.asyncStream(supervisor, [1], () => 1)), takes: optional },
  {
    of: "Task.asyncStream items",
    give: (items) => each(Task.asyncStream(tasks(), items, () => 1)),
    takes: ["a list", "an empty text", "a text"],
    without: ["a list of billions", "a huge text"],
  },
  {
    of: "Task.asyncStream iterator",
    give: (made) => each(Task.asyncStream(tasks(), { [Symbol.iterator]: () => made }, () => 1)),
    takes: [],
  },
  {
    of: "Task.asyncStream result",
    give: (result) => each(Task.asyncStream(tasks(), { [Symbol.iterator]: () => ({ next: once(result) }) }, () => 1)),
    takes: [...maps, "a list", "a list of billions", "a cyclic object"],
    // As an asynchronous iterator's promise they are waited for, and the items' own errors are passed on.
    without: all.filter((name) => /Proxy|thenable|getters throw/.test(name)),
  },
  { of: "Task.asyncStream run", give: (run) => each(Task.asyncStream(tasks(), [1], run)), takes: functionLike },
  {
    of: "Task.asyncStream options",
    give: (options) => each(Task.asyncStream(tasks(), [1], () => 1, options)),
    takes: [...optional, ...maps, "a promise"],
  },
  {
    of: "Task.asyncStream maxConcurrency",
    give: (maxConcurrency) => each(Task.asyncStream(tasks(), [1], () => 1, { maxConcurrency })),
    takes: optional,
  },
  { of: "isGenApiError", give: (error) => isGenApiError(error), takes: all },
  {
    of: "systemClock.setTimeout",
    give: (run) => systemClock.clearTimeout(systemClock.setTimeout(run, 10_000)),
    takes: functionLike,
  },
  {
    of: "systemClock.setTimeout ms",
    give: (ms) => systemClock.clearTimeout(systemClock.setTimeout(() => undefined, ms)),
    takes: [...durations, "-1", "Infinity"],
  },
  { of: "systemClock.clearTimeout", give: (timer) => systemClock.clearTimeout(timer), takes: all },
  { of: "GenApiError", give: (reason) => new otp.GenApiError(reason, reason, reason), takes: all },
];

const members: readonly Argument[] = [
  { of: "system.whereis", give: (name) => system.whereis(name), takes: texts },
  { of: "system.table", give: (name) => system.table(name), takes: texts },
  { of: "system.inspect", give: (inspect) => system.inspect(inspect)(), takes: functionLike },
  { of: "registry.register key", give: (key) => registry.register(key, ref, 1), takes: all },
  { of: "registry.register", give: (actor) => registry.register("a", actor, 1), takes: [] },
  {
    of: "registry.register value",
    give: (value) => createRegistry<string, unknown>({ keys: "unique" }).register("a", ref, value),
    takes: all,
  },
  { of: "registry.unregister key", give: (key) => registry.unregister(key, ref), takes: all },
  { of: "registry.unregister", give: (actor) => registry.unregister("a", actor), takes: [] },
  { of: "registry.lookup", give: (key) => registry.lookup(key), takes: all },
  { of: "registry.keys", give: (actor) => registry.keys(actor), takes: [] },
  { of: "registry.dispatch key", give: (key) => registry.dispatch(key, () => undefined), takes: all },
  { of: "registry.dispatch run", give: (run) => registry.dispatch("a", run), takes: functionLike },
  { of: "server.whereis", give: (name) => server.whereis(name), takes: texts },
  { of: "server.table name", give: (name) => server.table(name, () => 1), takes: texts },
  { of: "server.table create", give: (create) => server.table("known", create), takes: functionLike },
  { of: "server.sendAfter event", give: (event) => server.sendAfter(event, 1), takes: [] },
  { of: "server.sendAfter ms", give: (ms) => server.sendAfter({ type: "a" }, ms)(), takes: ["zero", "half of one"] },
  { of: "scope.whereis", give: (name) => scopes[0]?.whereis(name), takes: texts },
];

const tasks = () => system.whereis<otp.SupervisorRef>("dynamic");
const end = ({ shutdown }: System) => shutdown();
/** Waits for a task, or for its refusal; what its own function throws is not what is looked at. */
const settle = (task: Task<unknown>) =>
  Task.await(task).catch((error) => {
    if (isGenApiError(error)) throw error;
  });
async function each(stream: AsyncIterable<unknown>) {
  for await (const _ of stream);
}

function once(result: never) {
  let isFirst = true;
  return () => {
    if (!isFirst) return { done: true as const, value: undefined };
    isFirst = false;
    return result;
  };
}

async function errorOf(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return null;
  } catch (error) {
    return error;
  }
}

/** What is wrong, what is allowed, what came. */
const telling = / (takes|must be|has unknown fields|has no |is not alive|there is no )/;

describe.each([...entry, ...members])("$of", ({ give, takes, without = [] }) => {
  it("takes what it may, and refuses everything else by one coded error", async () => {
    for (const [name, make] of Object.entries(hostile).filter(([name]) => !without.includes(name))) {
      const error = await errorOf(() => give(make() as never));
      if (takes.includes(name)) {
        expect(error, name).toBe(null);
        continue;
      }
      expect(isGenApiError(error), `${name}: ${String(error)}`).toBe(true);
      const { code, message } = error as otp.GenApiError;
      expect(["invalid_option", "invalid_request", "not_found", "noproc"], name).toContain(code);
      expect(message, name).toMatch(telling);
    }
  });
});

it("every function of gen-api/otp is given such values", () => {
  const functions = Object.entries(otp).flatMap(([name, value]) =>
    typeof value === "object"
      ? Object.keys(value)
          .filter((key) => typeof value[key as keyof typeof value] === "function")
          .map((key) => `${name}.${key}`)
      : typeof value === "function"
        ? [name]
        : [],
  );
  const given = new Set(entry.map(({ of }) => of.split(" ")[0]));
  // The two that read the machine's time take nothing.
  expect(functions.filter((name) => !given.has(name))).toEqual(["systemClock.now", "systemClock.systemTime"]);
});

it("every method of a system, a registry, a server and a resource's scope is given such values", () => {
  const takesNothing = [
    "system.names",
    "system.tree",
    "system.restarted",
    "system.shutdown",
    "registry.count",
    "scope.finish",
  ];
  // Whatever a resource fails with: errors of others are passed on.
  const takesAll = ["scope.fail", "scope.sendParent"];
  const methods = Object.entries({ system, registry, server, scope: scopes[0] as object }).flatMap(([name, of]) =>
    Object.entries(of).flatMap(([key, value]) => (typeof value === "function" ? [`${name}.${key}`] : [])),
  );
  const given = new Set([...members.map(({ of }) => of.split(" ")[0]), ...takesNothing, ...takesAll]);
  expect(methods.filter((name) => !given.has(name))).toEqual([]);
});
