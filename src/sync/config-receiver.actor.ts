import {
  call,
  cast,
  fromGenServer,
  type GenServerRefFrom,
  refuse,
  type Server,
} from "../actor/gen-server/gen-server.ts";
import { type SupervisorRef, startChild, whichChildren } from "../actor/supervisor/supervisor-requests.ts";
import { isGenApiError, libraryError, toError } from "../core/errors.ts";
import { OwnTimers } from "../core/time/own-timers.ts";
import { Turns } from "../core/time/turns.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { configPullerActor, type PullerInput, pullNow } from "./config-puller.machine.ts";
import {
  ConfigReceiver,
  type ConfigReceiverDeps,
  type PulledFunctions,
  type PulledOutcome,
  type PushingNode,
} from "./config-receiver.ts";
import { SharedIntake } from "./intake/shared-intake.ts";
import { type Absence, Absences } from "./presence/absences.ts";
import type { ClusterReach } from "./presence/cluster-reach.ts";
import { beyondBound } from "./presence/kept-sets.ts";
import type { PullDeps, PullPlan } from "./pull-functions.ts";
import type { AcceptedPush } from "./push/push.ts";
import type { SharedPushes } from "./push/shared-pushes.ts";
import { pullFunctionsOf, type ServiceConfig } from "./service-config.ts";
import { pulledSet } from "./sets/function-sets.ts";

const pullStop = telemetryEvent("config.pull.stop");

/** The input of the config receiver. */
export interface ConfigReceiverInput
  extends Omit<ConfigReceiverDeps, "clock" | "owner" | "pullRequested" | "shared" | "served">,
    Omit<PullDeps, "clock"> {
  /** Services to be pulled from the start. */
  readonly serviceConfigs: readonly ServiceConfig[];
  readonly pullIntervalMs: number;
  /** Returns a number in [0, 1), as `Math.random` does. */
  random(): number;
  /** How long to keep the functions of a node that no longer serves them, or not yet here, milliseconds. */
  readonly nodeGraceMs: number;
  /** Whether this gateway can see its nodes: while it cannot, it considers none of them gone. */
  readonly reach: Pick<ClusterReach, "isCutOff" | "read" | "unread">;
  /** Whether nodes can be reached right now; `reach` may not have noticed yet that they cannot. */
  canReachNodes(): Promise<boolean>;
  /** Whether the node itself said that it no longer serves this: it left, or is up without it. */
  hasGivenUp(node: string, service: string): boolean;
  /** The place where gateways share pushes; undefined if the transport has none, or is not open. */
  sharedPushes(): SharedPushes | undefined;
  /** The registered names of the receiver itself, the owner of the function table and the pullers' supervisor. */
  readonly names: { readonly configReceiver: string; readonly configCache: string; readonly configPuller: string };
}

/** A node's ask about its functions: `push_begin`, `push_slice`, `push_end` or `verify`, see push.ts. */
export interface PushAsk extends PushingNode {
  readonly name: string;
  readonly body: unknown;
}

interface State {
  readonly input: ConfigReceiverInput;
  readonly receiver: ConfigReceiver;
  readonly sharing: SharedIntake;
  readonly turns: Turns;
  readonly timers: OwnTimers;
  readonly absences: Absences;
  readonly self: ConfigReceiverRef;
  /** Whether the bound on kept functions will be applied soon. */
  isBounding: boolean;
}

/** The name of the table of function sets: see `claimTable`. */
const setsTable = "function_sets";

// Delay before the bound on functions of vanished nodes is applied.
const boundMs = 1_000;

/**
 * Owns the functions that each node sent, and keeps the function table in line with them. Long pushes are processed over
 * many turns of the event loop. The nodes' functions survive a crash of this actor; open pushes do not.
 */
export const configReceiverActor = fromGenServer({
  init(input: ConfigReceiverInput, server): State {
    const timers = new OwnTimers(server.clock);
    const turns = new Turns();
    const deps: ConfigReceiverDeps = {
      ...input,
      sets: server.table(setsTable, () => input.sets),
      clock: timers,
      owner: () => server.whereis(input.names.configCache),
      shared: input.sharedPushes,
      served: (service) => look(state, service),
      pullRequested: (service, node) =>
        startPuller(state, server, service, node, () => planOfNode(state, service, node)),
    };
    const receiver = new ConfigReceiver(deps, turns);
    const self = server.self as ConfigReceiverRef;
    const { isCutOff } = input.reach;
    const absences = new Absences(timers, input.nodeGraceMs, isCutOff, (absence) => cast(self, "forget", absence));
    const sharing = new SharedIntake({
      gateway: input.gateway,
      maxFunctions: input.limits.maxFunctions,
      systemTime: () => server.clock.systemTime(),
      async shared(push) {
        await receiver.shared(push);
        watch(state, push);
      },
      async removed(service, node) {
        const isAwaited = input.sets.get(service, node)?.isOwn === true && absences.isRunning({ service, node });
        await receiver.sharedRemoved(service, node, isAwaited);
        if (isAwaited) absences.begin({ service, node }, true);
        watch(state, { service, node });
      },
      read: () => input.reach.read(),
    });
    const state: State = { input, receiver, sharing, turns, timers, absences, self, isBounding: false };
    for (const config of input.serviceConfigs) {
      const plan = { ...pullFunctionsOf(config), nodes: config.nodes };
      startPuller(state, server, config.service, pulledSet, () => plan);
    }
    for (const [service, node] of deps.sets.entries()) watch(state, { service, node });
    lookForNodes(state);
    cast(self, "recover");
    cast(self, "sharedPushesOpened");
    return state;
  },

  handleCall: {
    /** Answers a node's ask. Call it without a timeout, since another node's large push may be ahead. */
    ask({ receiver }: State, { name, body, ...from }: PushAsk): unknown {
      try {
        switch (name) {
          case "push_begin":
            return receiver.begin(from, body);
          case "push_slice":
            return receiver.slice(from, body);
          case "push_end":
            return receiver.end(from, body);
          case "verify":
            return receiver.verify(from, body);
          default:
            return refuse(libraryError("invalid_request", `Nothing can be asked by the name ${JSON.stringify(name)}`));
        }
      } catch (thrown) {
        if (isGenApiError(thrown)) return refuse(thrown);
        throw thrown;
      }
    },

    pulled: ({ receiver }: State, functions: PulledFunctions): Promise<PulledOutcome> => receiver.pulled(functions),
  },

  handleCast: {
    recover: ({ receiver, turns }: State) => unlessClosed(turns, receiver.recover()),

    /** A node has a session: failed pulls are retried. It may serve less than it did before. */
    nodeUp(state: State, node: string, server: Server) {
      watchAll(state, node);
      for (const service of state.input.sets.servicesOf(node)) look(state, service);
      const pullers = server.whereis<SupervisorRef>(state.input.names.configPuller);
      if (pullers === undefined) return;
      for (const { ref } of whichChildren(pullers)) ref?.send(pullNow);
    },

    /** A node's session has ended: its open pushes are dropped, its functions are kept for a while. */
    nodeLost(state: State, node: string) {
      state.receiver.lost(node);
      watchAll(state, node);
      lookForNodes(state);
    },

    /** Nodes can no longer reach this gateway, or can again. */
    reachChanged({ absences }: State, isCutOff: boolean) {
      if (isCutOff) absences.pause();
      else absences.resume();
    },

    /** Too much is kept for vanished nodes: drops what this node told the gateway. */
    evict: ({ receiver, turns }: State, absence: Absence) => unlessClosed(turns, receiver.evict(absence)),

    /** A node has not served this for long: its functions may be dropped. */
    forget: (state: State, absence: Absence) => unlessClosed(state.turns, forget(state, absence)),

    /** The place where gateways share pushes is open, for the first time or again. */
    sharedPushesOpened({ input, receiver, sharing, turns }: State, _none: undefined, { self }: Server) {
      const place = input.sharedPushes();
      if (place === undefined) return;
      // The place may still notify a crashed receiver; its successor watches for itself.
      const live = () => (turns.isClosed ? undefined : (self as ConfigReceiverRef));
      place.watch({
        shared: (push) => cast(live(), "shared", push),
        removed: (service, node) => cast(live(), "sharedRemoved", { service, node }),
        refused: (key, problem) => sharing.refused(key, problem),
        orphaned: (service, node) => cast(live(), "orphaned", { service, node }),
        read: () => cast(live(), "sharedRead"),
        unread: (problem) => input.reach.unread(problem),
      });
      receiver.shareAll();
    },

    shared: ({ sharing, turns }: State, push: AcceptedPush) => unlessClosed(turns, sharing.add({ push })),

    sharedRemoved: ({ sharing, turns }: State, removed: { readonly service: string; readonly node: string }) =>
      unlessClosed(turns, sharing.add({ removed })),

    /**
     * No gateway vouches any more for what the node told another gateway: drop it once the node's time to come here is
     * over too.
     */
    orphaned: ({ receiver, absences, turns }: State, absence: Absence) =>
      absences.isRunning(absence) ? undefined : unlessClosed(turns, receiver.orphaned(absence)),

    sharedRead: ({ sharing, turns }: State) => unlessClosed(turns, sharing.read()),
  },

  terminate({ turns, timers }) {
    turns.close();
    timers.close();
  },

  formatStatus: ({ input, absences }) => ({ functionSets: input.sets.status(), absences: absences.list() }),
});

/** A running config receiver. */
export type ConfigReceiverRef = GenServerRefFrom<typeof configReceiverActor>;

/** Functions that a node registered and does not serve now may be dropped, unless it comes back in time. */
function watch({ input: { sets, isLive, hasGivenUp }, absences }: State, { service, node }: Absence): void {
  const isAbsent = node !== pulledSet && sets.get(service, node) !== undefined && !isLive(node, service);
  if (isAbsent) absences.begin({ service, node }, hasGivenUp(node, service));
  else absences.end({ service, node });
}

/** A node of the service is up: the time of nodes kept only for lack of one starts again. */
function look(state: State, service: string): void {
  lookForNodes(state);
  state.absences.restartAll(service);
}

function lookForNodes({ input: { expected, sets, isLive } }: State): void {
  expected.look((service) => sets.hasNodes(service, (node) => isLive(node, service)));
}

async function forget(state: State, absence: Absence): Promise<void> {
  const { input, receiver, absences } = state;
  // A blocked gateway may not have noticed that nodes cannot reach it.
  const canReach = await input.canReachNodes();
  if (absences.isRunning(absence)) return;
  const outcome = canReach ? await receiver.forget(absence, absences.isSaid(absence)) : "undecided";
  if (outcome === "undecided") absences.restart(absence);
  if (outcome !== "gone") keepWithinBound(state);
  watch(state, absence);
}

/** Applies the bound soon, once for all that is kept by then: many nodes may vanish together. */
function keepWithinBound(state: State): void {
  if (state.isBounding) return;
  state.isBounding = true;
  const { input, timers, absences } = state;
  timers.setTimeout(() => {
    state.isBounding = false;
    const kept = absences.overdue().flatMap((absence) => {
      const set = input.sets.get(absence.service, absence.node);
      return set?.isOwn ? [{ ...absence, functions: set.functions.size }] : [];
    });
    for (const absence of beyondBound(kept)) {
      absences.end(absence);
      cast(state.self, "evict", absence);
    }
  }, boundMs);
}

/** All sets that the node has registered. */
function watchAll(state: State, node: string): void {
  for (const service of state.input.sets.servicesOf(node)) watch(state, { service, node });
}

/** Work that fails because the server has ended is no crash. */
async function unlessClosed(turns: Turns, work: Promise<void> | undefined): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!turns.isClosed) throw error;
  }
}

/** The pull requested by a node's last push; null if it requested none, or the node is forgotten. */
function planOfNode({ input }: State, service: string, node: string): PullPlan | null {
  const pull = input.sets.get(service, node)?.pull ?? null;
  return pull === null ? null : { ...pullFunctionsOf({ ...pull, service }), nodes: [node] };
}

/** Does nothing if the puller already runs: it reads its plan again before each pull. */
function startPuller(
  { input, receiver }: State,
  server: Server,
  service: string,
  set: string,
  plan: () => PullPlan | null,
): void {
  const { gateway, names, random, pullIntervalMs } = input;
  // The host's own configuration of a service's pull takes precedence over its nodes.
  if (set !== pulledSet && input.serviceConfigs.some((config) => config.service === service)) return;
  const puller: PullerInput = {
    gateway,
    plan,
    random,
    pullIntervalMs,
    deps: { ...input, clock: server.clock },
    target: {
      service,
      set,
      isCurrent: (version) => receiver.isCurrent(service, set, version),
      // By name: a puller outlives a crash of the receiver that started it.
      pulled: (functions) =>
        call(server.whereis<ConfigReceiverRef>(names.configReceiver), "pulled", functions, { timeoutMs: "infinity" }),
    },
  };
  const id = set === pulledSet ? `pull ${service}` : `pull ${service} of ${set}`;
  const spec = { id, logic: configPullerActor, input: puller, restart: "transient" } as const;
  startChild(server.whereis<SupervisorRef>(names.configPuller), spec).catch((thrown) => {
    if (isGenApiError(thrown) && thrown.code === "already_started") return;
    const error = toError(thrown);
    pullStop.emit(
      { duration_us: 0, accepted: 0, refused: 0 },
      { gateway, service, node: null, outcome: "failed", error },
    );
  });
}
