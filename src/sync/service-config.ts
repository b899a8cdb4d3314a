import { z } from "zod";
import type { Mfa, ModuleFunction } from "../config/fun-config.ts";
import { described, must } from "../core/faults.ts";
import type { PullSource } from "./push/push.ts";

const name = z.string({ error: must("a non-empty string") }).min(1, { error: must("a non-empty string") });
const args = z.array(z.unknown(), { error: must("a list of arguments") });

/** A service whose functions a gateway pulls from its nodes, as written in the options of `startGenApi`. */
export interface ServiceConfigInput {
  /** The service to pull. */
  readonly service: string;
  /**
   * The nodes that have it and run the pulled functions: their names, or a function of the gateway that returns them.
   */
  readonly nodes: readonly string[] | ModuleFunction;
  /** The node's module of {@link function}. @default the built-in one of every service node */
  readonly module?: string;
  /** The node's function that returns its FunConfigs. @default the built-in one of every service node */
  readonly function?: string;
  /** Its arguments. @default [service] for the built-in function, otherwise [] */
  readonly args?: readonly unknown[];
  /** The node's module of {@link versionFunction}. @default `module` */
  readonly versionModule?: string;
  /**
   * The node's function that returns the version of its FunConfigs; while the version stays the same, they are not
   * pulled again.
   * @default the built-in one of every service node, or none if `function` is another
   */
  readonly versionFunction?: string;
  /** Its arguments. @default `args` */
  readonly versionArgs?: readonly unknown[];
}

/** The schema of {@link ServiceConfigInput}; a test keeps the two equal. */
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

/**
 * The module that every service node has in addition to its own, with `get_functions(service)` and
 * `config_version(service)`.
 */
export const builtInModule = "gen_api";

/** The functions of a node that a pull calls. */
export interface PullFunctions {
  readonly functions: Mfa;
  /** Null: the pull asks for no version and fetches the functions every time. */
  readonly version: Mfa | null;
}

/** The functions that a service config asks for, with defaults filled in. */
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
