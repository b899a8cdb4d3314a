import { call, cast, fromGenServer, type GenServerRefFrom, refuse, type Server } from "../actor/gen-server.ts";
import { type SupervisorRef, startChild, whichChildren } from "../actor/supervisor-requests.ts";
import { isGenApiError, libraryError, toError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { type Absence, Absences } from "./absences.ts";
import { configPuller, type PullerInput, pullNow } from "./config-puller.machine.ts";
import {
  ConfigReceiver,
  type ConfigReceiverSources,
  type PulledFunctions,
  type PulledOutcome,
  type PushingNode,
} from "./config-receiver.ts";
import { pulledSet } from "./function-sets.ts";
import { OwnTimers } from "./own-timers.ts";
import type { PullPlan, PullSources } from "./pull-functions.ts";
import type { AcceptedPush } from "./push.ts";
import { pullFunctionsOf, type ServiceConfig } from "./service-config.ts";
import { SharedIntake } from "./shared-intake.ts";
import type { SharedPushes } from "./shared-pushes.ts";
import { Turns } from "./turns.ts";

const pullStop = telemetryEvent("config.pull.stop");

/** What the config receiver is started with. */
export interface ConfigReceiverInput
  extends Omit<ConfigReceiverSources, "clock" | "owner" | "pullRequested" | "shared">,
    Omit<PullSources, "clock"> {
  /** Services to be pulled from the start. */
  readonly serviceConfigs: readonly ServiceConfig[];
  readonly pullIntervalMs: number;
  /** Returns a number in [0, 1), as `Math.random` does. */
  random(): number;
  /** How long the functions of a node are kept that does not serve them any more, or not yet here, milliseconds. */
  readonly nodeGraceMs: number;
  /** Where gateways share pushes now; undefined where the transport has no such place, or is not open. */
  sharedPushes(): SharedPushes | undefined;
  /** The names under which the receiver itself, the config cache and the pullers' supervisor are registered. */
  readonly names: { readonly configReceiver: string; readonly configCache: string; readonly configPuller: string };
}

/** What a node asks about its functions: `push_begin`, `push_slice`, `push_end` or `verify`, see push.ts. */
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
}

/** The name under which the sets of functions are owned: see `claimTable`. */
const setsTable = "function_sets";

/**
 * Owns what each node sent of functions, and has the config cache hold what follows from it. Long pushes are worked off
 * in many turns of the event loop. What nodes sent survives a crash of this actor; pushes under way do not.
 */
export const configReceiver = fromGenServer({
  init(input: ConfigReceiverInput, server): State {
    const timers = new OwnTimers(server.clock);
    const turns = new Turns();
    const sources: ConfigReceiverSources = {
      ...input,
      sets: server.table(setsTable, () => input.sets),
      clock: timers,
      owner: () => server.whereis(input.names.configCache),
      shared: input.sharedPushes,
      pullRequested: (service, node) =>
        startPuller(state, server, service, node, () => planOfNode(state, service, node)),
    };
    const receiver = new ConfigReceiver(sources, turns);
    const self = server.self as ConfigReceiverRef;
    const absences = new Absences(timers, input.nodeGraceMs, (absence) => cast(self, "forget", absence));
    const sharing = new SharedIntake({
      gateway: input.gateway,
      maxFunctions: input.limits.maxFunctions,
      systemTime: () => server.clock.systemTime(),
      async shared(push) {
        await receiver.shared(push);
        watch(state, push);
      },
      async removed(service, node) {
        await receiver.sharedRemoved(service, node);
        watch(state, { service, node });
      },
    });
    const state: State = { input, receiver, sharing, turns, timers, absences };
    for (const config of input.serviceConfigs) {
      const plan = { ...pullFunctionsOf(config), nodes: config.nodes };
      startPuller(state, server, config.service, pulledSet, () => plan);
    }
    for (const [service, node] of sources.sets.entries()) watch(state, { service, node });
    cast(self, "recover");
    cast(self, "sharedPushesOpened");
    return state;
  },

  handleCall: {
    /** Answers what a node asked; give it time without limit, as a large push of another may be before it. */
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

    /** A node has a session: pulls that failed are tried again. It may serve less than it did before. */
    nodeUp(state: State, node: string, server: Server) {
      watchAll(state, node);
      const pullers = server.whereis<SupervisorRef>(state.input.names.configPuller);
      if (pullers === undefined) return;
      for (const { ref } of whichChildren(pullers)) ref?.send(pullNow);
    },

    /** A node's session has ended: its pushes under way are dropped, what it pushed is kept for a while. */
    nodeLost(state: State, node: string) {
      state.receiver.lost(node);
      watchAll(state, node);
    },

    /** A node has not served this for long: what it pushed of it goes, unless it serves it again. */
    forget: ({ receiver, turns }: State, absence: Absence) => unlessClosed(turns, receiver.forget(absence)),

    /** The place where gateways share pushes is open, for the first time or again. */
    sharedPushesOpened({ input, receiver, sharing, turns }: State, _none: undefined, { self }: Server) {
      const place = input.sharedPushes();
      if (place === undefined) return;
      // A place may still tell a receiver that has crashed; its successor watches by itself.
      const live = () => (turns.isClosed ? undefined : (self as ConfigReceiverRef));
      place.watch({
        shared: (push) => cast(live(), "shared", push),
        removed: (service, node) => cast(live(), "sharedRemoved", { service, node }),
        refused: (key, problem) => sharing.refused(key, problem),
      });
      receiver.shareAll();
    },

    shared: ({ sharing, turns }: State, push: AcceptedPush) => unlessClosed(turns, sharing.add({ push })),

    sharedRemoved: ({ sharing, turns }: State, removed: { readonly service: string; readonly node: string }) =>
      unlessClosed(turns, sharing.add({ removed })),
  },

  terminate({ turns, timers }) {
    turns.close();
    timers.close();
  },

  formatStatus: ({ input, absences }) => ({ functionSets: input.sets.status(), absences: absences.list() }),
});

/** A running config receiver. */
export type ConfigReceiverRef = GenServerRefFrom<typeof configReceiver>;

/** What a node has registered and does not serve now is forgotten, unless it comes back in time. */
function watch({ input: { sets, isLive }, absences }: State, { service, node }: Absence): void {
  const isAbsent = node !== pulledSet && sets.get(service, node) !== undefined && !isLive(node, service);
  if (isAbsent) absences.begin({ service, node });
  else absences.end({ service, node });
}

/** All that the node has registered. */
function watchAll(state: State, node: string): void {
  for (const service of state.input.sets.servicesOf(node)) watch(state, { service, node });
}

/** Work that ends because the server has ended is no crash. */
async function unlessClosed(turns: Turns, work: Promise<void> | undefined): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!turns.isClosed) throw error;
  }
}

/** What a node's last push asks for; null where it asks for no pull, or is forgotten. */
function planOfNode({ input }: State, service: string, node: string): PullPlan | null {
  const pull = input.sets.get(service, node)?.pull ?? null;
  return pull === null ? null : { ...pullFunctionsOf({ ...pull, service }), nodes: [node] };
}

/** Does nothing where the puller runs already: it reads its plan anew before each pull. */
function startPuller(
  { input, receiver }: State,
  server: Server,
  service: string,
  set: string,
  plan: () => PullPlan | null,
): void {
  const { gateway, names, random, pullIntervalMs } = input;
  // A host that configured the pull of a service knows better than its nodes how to.
  if (set !== pulledSet && input.serviceConfigs.some((config) => config.service === service)) return;
  const puller: PullerInput = {
    gateway,
    plan,
    random,
    pullIntervalMs,
    sources: { ...input, clock: server.clock },
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
  const spec = { id, logic: configPuller, input: puller, restart: "transient" } as const;
  startChild(server.whereis<SupervisorRef>(names.configPuller), spec).catch((thrown) => {
    if (isGenApiError(thrown) && thrown.code === "already_started") return;
    const error = toError(thrown);
    pullStop.emit(
      { duration_us: 0, accepted: 0, refused: 0 },
      { gateway, service, node: null, outcome: "failed", error },
    );
  });
}
