import { z } from "zod";
import { holdsService, type Service } from "../config/define-service.ts";
import type { FunConfigInput } from "../config/fun-config.ts";
import type { PullSource } from "../config/push.ts";
import { faultsError, faultsOf, must } from "../core/faults.ts";
import type { NodeTransport } from "../node/transport.ts";
import { clusterSchema } from "./cluster-options.ts";
import { flag, peerName, secret, text } from "./option-schemas.ts";
import { functionFaults, type ProgramOptions, programSchema } from "./program-options.ts";

/** A FunConfig of a service node's. */
export interface NodeFunConfigInput extends Omit<FunConfigInput, "nodes"> {
  /** Where it runs: on this node, unless it names others. @default "local" */
  readonly nodes?: FunConfigInput["nodes"];
}

/** What {@link startServiceNode} takes. */
export interface ServiceNodeOptions extends Omit<ProgramOptions, "functions"> {
  /** This node's name, unique among all nodes of its gateways, such as "users@10.0.0.7". */
  readonly name: string;
  /** Its functions: services of `defineService`, FunConfigs. Where they run need not be said: here. @default none */
  readonly functions?: readonly (NodeFunConfigInput | Service)[];
  /** The service of all its functions. @default the services that its functions name */
  readonly service?: string;
  /** How it reaches the gateways: `link({ gateways: [url, …] })` or `nats({ servers })`. */
  readonly cluster: NodeTransport;
  /** The secret that it shares with the gateways. @default none: they must be on this machine */
  readonly pushToken?: string | undefined;
  /** Names this set of functions: a gateway that has it skips the push. @default a hash of the functions */
  readonly configVersion?: string;
  /** Whether it pushes its functions to every gateway that it reaches. @default true */
  readonly pushOnStartup?: boolean;
  /** Registers its service for the gateways' pulls, with a push: the function to be asked for the functions. @default none */
  readonly pull?: PullSource;
}

// As many as a node may come with; more are another node's.
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

/**
 * Checks options and fills in the defaults.
 * @throws GenApiError `invalid_option`, one for all, that lists every fault by its path
 */
export function resolveServiceNodeOptions(options: unknown): ResolvedServiceNodeOptions {
  const given = runningHere(options);
  const parsed = optionsSchema.safeParse(given);
  const faults = [
    ...(parsed.success ? [] : faultsOf(parsed.error)),
    ...functionFaults(given),
    ...(parsed.success ? [...serviceFaults(parsed.data), ...transportFaults(parsed.data)] : []),
  ];
  if (parsed.success && faults.length === 0) return parsed.data;
  throw faultsError("invalid_option", "Invalid options of startServiceNode", faults);
}

/** The options with `nodes: "local"` in FunConfigs that do not say where they run. */
function runningHere(options: unknown): Readonly<Record<string, unknown>> {
  const given = Object(options) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(given.functions)) return given;
  const functions = given.functions.map((value: unknown) => {
    const isPlain = typeof value === "object" && value !== null && !holdsService(value);
    return isPlain ? { nodes: "local", ...value } : value;
  });
  return { ...given, functions };
}

/** The services of a node's functions, and the one it names. */
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
    return functions.length === 0 ? ["service must be given where there are no functions that name one"] : [];
  }
  return functions.flatMap((given, index) => {
    if (given.service === service) return [];
    const what = holdsService(given) ? "is the service" : "is of the service";
    return [`functions[${index}] ${what} ${JSON.stringify(given.service)}, but service is ${JSON.stringify(service)}`];
  });
}

function transportFaults({ cluster, pushToken }: ResolvedServiceNodeOptions): readonly string[] {
  return cluster.nodeFaults({ hasToken: pushToken !== undefined });
}
