import type { ArgTypeName, ArgTypes } from "../arguments/declarations.ts";
import { type HandlerHolder, holdsHandlers, markHandlers, type ServiceFunction } from "../core/load-function.ts";
import type { RequestInfo } from "../core/request-info.ts";
import type { FunConfigInput } from "./fun-config.ts";

/** The TypeScript type of a valid argument of each declared type. */
interface ArgValues {
  string: string;
  num: number;
  boolean: boolean;
  uuid: string;
  datetime: Date;
  naive_datetime: string;
  list: unknown[];
  list_string: string[];
  list_num: number[];
  list_uuid: string[];
  list_map: Record<string, unknown>[];
  map: Record<string, unknown>;
  any: unknown;
}

type ValueOf<Type> = Type extends ArgTypeName
  ? ArgValues[Type]
  : Type extends { readonly type: infer Name extends ArgTypeName }
    ? ArgValues[Name] | (Type extends { readonly allowNil: true } ? null : never)
    : never;

/** What a handler receives for these argument types: the arguments by name, validated. */
export type ArgsOf<Args> = { -readonly [Name in keyof Args]: ValueOf<Args[Name]> };

/** One function of a service: its handler, its arguments, and any field of a FunConfig that should not be the default. */
export interface FunctionDefinition<Args>
  extends Partial<Omit<FunConfigInput, "service" | "mfa" | "argTypes" | "argOrders">> {
  /** The function's public name, which requests name as `request_type`. @default its key in the definition */
  readonly requestType?: string;
  /** Where it runs: `"local"`, in the program that registers the service, or as in a FunConfig. @default "local" */
  readonly nodes?: FunConfigInput["nodes"];
  /**
   * How long one attempt may take, milliseconds, from 100 to 300_000, or `"infinity"`; of a stream, how long it may go
   * without a chunk. @default 5_000
   */
  readonly timeout?: FunConfigInput["timeout"];
  /** Whether the handler gets a RequestInfo as its second parameter. @default whether it declares one */
  readonly requestInfo?: FunConfigInput["requestInfo"];
  /** Argument types by name. @default none: the function takes no arguments */
  readonly args?: Args & ArgTypes;
  /**
   * Receives the arguments as one object, and, when it declares a second parameter, the RequestInfo.
   * (One object, because TypeScript knows no order among an object's keys: positions could not be typed.)
   */
  handler(args: ArgsOf<Args>, info: RequestInfo): unknown;
}

/** A service with its handlers and the FunConfigs made of them; give it to `startGenApi({ functions: [service] })`. */
export interface Service extends HandlerHolder {
  /** Its name. */
  readonly service: string;
  /** The ES module that exports this definition; null when the host names it under `modules`. */
  readonly url: string | null;
  /** The FunConfigs that its definitions make. */
  readonly functions: readonly FunConfigInput[];
}

// `Types` has no constraint: with one, a function without `args` would make TypeScript forget the types of all others.
type Definitions<Types> = { readonly [Name in keyof Types]: FunctionDefinition<Types[Name]> };

/**
 * Defines a service in a module of its own, which the gateway, its threads and service nodes all import:
 *
 * ```ts
 * export default defineService("user_service", import.meta.url, {
 *   get_user: { args: { user_id: "string" }, handler: async ({ user_id }) => ({ id: user_id, name: "Alice" }) },
 * });
 * ```
 *
 * The module must export the definition, since a thread finds the handlers by importing it. Without the URL the host
 * has to name the module: `startGenApi({ modules: { user_service: url } })`. Defaults beside those of a FunConfig:
 * `nodes` "local", `timeout` 5 000 ms, `argOrders` "map", `requestInfo` as the handler's second parameter asks for it.
 */
export function defineService<const Types>(service: string, url: string | URL, functions: Definitions<Types>): Service;
export function defineService<const Types>(service: string, functions: Definitions<Types>): Service;
export function defineService<const Types>(
  service: string,
  ...rest: [string | URL, Definitions<Types>] | [Definitions<Types>]
): Service {
  const [url, functions] = rest.length === 2 ? [String(rest[0]), rest[1]] : [null, rest[0]];
  const definitions = Object.entries(functions) as [string, FunctionDefinition<ArgTypes>][];
  return markHandlers({
    service,
    url,
    functions: definitions.map(([name, definition]) => configOf(service, name, definition)),
    handlers: new Map(definitions.map(([name, { handler }]) => [name, handler as ServiceFunction])),
  });
}

function configOf(service: string, name: string, definition: FunctionDefinition<ArgTypes>): FunConfigInput {
  const { args = {}, handler, ...fields } = definition;
  return {
    nodes: "local",
    timeout: 5_000,
    requestType: name,
    requestInfo: handler.length > 1,
    ...fields,
    service,
    mfa: { module: service, function: name },
    argTypes: args,
    argOrders: "map",
  };
}

/** Whether `value` is what {@link defineService} returns. */
export function holdsService(value: unknown): value is Service {
  return holdsHandlers(value) && "functions" in value;
}
