import { z } from "zod";
import { jsonFault } from "../../config/carried-values.ts";
import { holdsService } from "../../config/define-service.ts";
import type { FunConfigInput } from "../../config/fun-config.ts";
import type { Service } from "../../config/service-types.ts";
import { faultsError, faultsOf, must, namesKeys } from "../../core/faults.ts";
import { reading } from "../../core/unreadable.ts";
import type { NodeTransport } from "../../node/node-transport.ts";
import type { PullSource } from "../../sync/push/push.ts";
import { clusterSchema } from "./cluster-options.ts";
import { functionFaults } from "./function-faults.ts";
import { flag, peerName, secret, text } from "./option-schemas.ts";
import { type ProgramOptions, programSchema } from "./program-options.ts";

/** A FunConfig of a service node. */
export interface NodeFunConfigInput extends Omit<FunConfigInput, "nodes"> {
  /** Where it runs: on this node, or on the nodes named here. @default "local" */
  readonly nodes?: FunConfigInput["nodes"];
}

/** The options of {@link startServiceNode}. */
export interface ServiceNodeOptions extends Omit<ProgramOptions, "functions"> {
  /** This node's name, unique among all nodes of its gateways, such as "users@10.0.0.7". */
  readonly name: string;
  /** The node's functions: services of `defineService`, FunConfigs. By default they run on this node. @default none */
  readonly functions?: readonly (NodeFunConfigInput | Service)[];
  /** The service of all its functions; required if there are none. @default the services that its functions name */
  readonly service?: string;
  /** How the node reaches the gateways: `link({ gateways: [url, …] })` or `nats({ servers })`. */
  readonly cluster: NodeTransport;
  /** The secret that the node shares with the gateways. @default none: they must be on this machine */
  readonly pushToken?: string | undefined;
  /** Names this set of functions: a gateway that already has it skips the push. @default a hash of the functions */
  readonly configVersion?: string;
  /** Whether the node pushes its functions to every gateway that it reaches. @default true */
  readonly pushOnStartup?: boolean;
  /** Registers the node's service for the gateways' pulls: the function that returns the FunConfigs. @default none */
  readonly pull?: PullSource;
}

// Gateways refuse a node that brings more services.
const maxServices = 50;

const pullSchema = z.strictObject({
  module: text(),
  function: text(),
  args: z.array(z.unknown(), { error: must("a list of arguments") }).default([]),
  versionModule: text().exactOptional(),
  versionFunction: text().exactOptional(),
  versionArgs: z.array(z.unknown(), { error: must("a list of arguments") }).exactOptional(),
});

const optionsSchema = z.strictObject({
  ...programSchema,
  name: peerName(),
  service: peerName().optional(),
  cluster: clusterSchema,
  pushToken: secret().optional(),
  configVersion: peerName().optional(),
  pushOnStartup: flag().default(true),
  pull: pullSchema.optional(),
});

/** {@link ServiceNodeOptions}, checked and with every default in place. */
export type ResolvedServiceNodeOptions = z.output<typeof optionsSchema>;

const what = "Invalid options of startServiceNode";

/**
 * Checks options and fills in the defaults.
 * @throws GenApiError `invalid_option`, one for all, that lists every fault by its path
 */
export function resolveServiceNodeOptions(options: unknown): ResolvedServiceNodeOptions {
  return reading("invalid_option", what, options, () => parseOptions(options));
}

function parseOptions(options: unknown): ResolvedServiceNodeOptions {
  const given = runningHere(options);
  const parsed = optionsSchema.safeParse(given, namesKeys);
  const faults = [
    ...(parsed.success ? [] : faultsOf(parsed.error)),
    ...functionFaults(given, sentFaults),
    ...(parsed.success
      ? [...serviceFaults(parsed.data), ...pullFaults(parsed.data), ...transportFaults(parsed.data)]
      : []),
  ];
  if (parsed.success && faults.length === 0) return parsed.data;
  throw faultsError("invalid_option", what, faults);
}

/** The options with `nodes: "local"` in FunConfigs that do not say where they run. */
function runningHere(options: unknown): Readonly<Record<string, unknown>> {
  const given = Object(options) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(given.functions)) return given;
  const functions = given.functions.map((value: unknown) => {
    const isPlain = typeof value === "object" && value !== null && !Array.isArray(value) && !holdsService(value);
    if (!isPlain) return value;
    try {
      return { nodes: "local", ...value };
    } catch {
      // It throws when it is read; functionFaults reports it with its path.
      return value;
    }
  });
  return { ...given, functions };
}

/** The services of a node's functions, and the service that its options name. */
export function servicesOf({
  service,
  functions,
}: Pick<ResolvedServiceNodeOptions, "service" | "functions">): string[] {
  const named = functions.map((given) => given.service);
  return [...new Set(service === undefined ? named : [service, ...named])];
}

function serviceFaults({ service, functions }: ResolvedServiceNodeOptions): string[] {
  const services = servicesOf({ service, functions });
  if (services.length > maxServices)
    return [`functions must be of ${maxServices} services at most, got ${services.length}`];
  if (service === undefined) {
    return functions.length === 0 ? ["service must be given if no function names one"] : [];
  }
  return functions.flatMap((given, index) => {
    if (given.service === service) return [];
    const what = holdsService(given) ? "is the service" : "is of the service";
    return [`functions[${index}] ${what} ${JSON.stringify(given.service)}, but service is ${JSON.stringify(service)}`];
  });
}

/** Faults of a FunConfig as JSON: a node sends all of it to gateways. */
function sentFaults(config: FunConfigInput): string[] {
  const fault = jsonFault({ ...config }, "");
  return fault === null ? [] : [fault];
}

function pullFaults({ pull }: ResolvedServiceNodeOptions): string[] {
  const { args = [], versionArgs = [] } = pull ?? {};
  return [jsonFault(args, "pull.args"), jsonFault(versionArgs, "pull.versionArgs")].filter((fault) => fault !== null);
}

function transportFaults({ cluster, pushToken }: ResolvedServiceNodeOptions): readonly string[] {
  return cluster.nodeFaults({ hasToken: pushToken !== undefined });
}
