import { z } from "zod";
import { described, must } from "../core/faults.ts";
import type { Mfa, ModuleFunction } from "./fun-config.ts";
import type { PullSource } from "./push.ts";

const name = z.string({ error: must("a non-empty string") }).min(1, { error: must("a non-empty string") });
const args = z.array(z.unknown(), { error: must("a list of arguments") });

/** A service whose functions a gateway pulls from its nodes, as it is written in the options of `startGenApi`. */
export interface ServiceConfigInput {
  /** The service to pull. */
  readonly service: string;
  /** The nodes that have it: their names, or a function of the gateway's that returns them. They run what is pulled. */
  readonly nodes: string[] | ModuleFunction;
  /** The node's module of {@link function}. @default the one that every service node has */
  readonly module?: string;
  /** The node's function that returns its FunConfigs. @default the one that every service node has */
  readonly function?: string;
  /** Its arguments. @default [service] for the function that every service node has, else [] */
  readonly args?: unknown[];
  /** The node's module of {@link versionFunction}. @default `module` */
  readonly versionModule?: string;
  /**
   * The node's function that returns the version of its FunConfigs: unchanged, they are not pulled again.
   * @default the one that every service node has, or none where `function` is another
   */
  readonly versionFunction?: string;
  /** Its arguments. @default `args` */
  readonly versionArgs?: unknown[];
}

/** What {@link ServiceConfigInput} describes, and a test holds to it. */
export const serviceConfigSchema = z.strictObject({
  service: name,
  nodes: described(
    z.union([z.array(name).min(1), z.strictObject({ module: name, function: name, args: args.default([]) })]),
    "a list of node names or a resolver {module, function, args}",
  ),
  module: name.exactOptional(),
  function: name.exactOptional(),
  args: args.exactOptional(),
  versionModule: name.exactOptional(),
  versionFunction: name.exactOptional(),
  versionArgs: args.exactOptional(),
});

/** A valid {@link ServiceConfigInput}. */
export type ServiceConfig = z.output<typeof serviceConfigSchema>;

/** The module that every service node has beside its own: with `get_functions(service)` and `config_version(service)`. */
export const builtInModule = "gen_api";

/** Which functions of a node a pull calls. */
export interface PullFunctions {
  readonly functions: Mfa;
  /** Null: the node is asked for no version, its functions are pulled every time. */
  readonly version: Mfa | null;
}

/** What a service config asks for, defaults filled in. */
export function pullFunctionsOf(
  config: Omit<ServiceConfig, "nodes"> | (PullSource & { service: string }),
): PullFunctions {
  const isBuiltIn = config.module === undefined && config.function === undefined;
  const { module = builtInModule, function: fun = "get_functions" } = config;
  const functions = { module, function: fun, args: [...(config.args ?? (isBuiltIn ? [config.service] : []))] };
  const versionFunction = config.versionFunction ?? (isBuiltIn ? "config_version" : undefined);
  if (versionFunction === undefined) return { functions, version: null };
  const versionArgs = [...(config.versionArgs ?? functions.args)];
  return {
    functions,
    version: { module: config.versionModule ?? module, function: versionFunction, args: versionArgs },
  };
}
