import { z } from "zod";
import { described, must } from "../core/faults.ts";
import type { Mfa } from "./fun-config.ts";
import type { PullSource } from "./push.ts";

const name = z.string({ error: must("a non-empty string") }).min(1, { error: must("a non-empty string") });
const args = z.array(z.unknown(), { error: must("a list of arguments") });

/** One service that a gateway pulls from its nodes; for the options of `startGenApi`. */
export const serviceConfigSchema = z.strictObject({
  /** The service to pull. */
  service: name,
  /** The nodes that have it: their names, or a function of the gateway's that returns them. They run what is pulled. */
  nodes: described(
    z.union([z.array(name).min(1), z.strictObject({ module: name, function: name, args: args.default([]) })]),
    "a list of node names or a resolver {module, function, args}",
  ),
  /** The node's function that returns its FunConfigs. @default the one that every service node has */
  module: name.exactOptional(),
  function: name.exactOptional(),
  /** @default [service] for the default function, else [] */
  args: args.exactOptional(),
  /** The node's function that returns their version: unchanged, they are not pulled. @default as above; else none */
  versionModule: name.exactOptional(),
  versionFunction: name.exactOptional(),
  versionArgs: args.exactOptional(),
});

/** A service to be pulled, as it is written. */
export type ServiceConfigInput = z.input<typeof serviceConfigSchema>;

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
