import type { ArgTypes } from "../arguments/declarations.ts";
import { faultsError, shown } from "../core/faults.ts";
import { reading } from "../core/unreadable.ts";
import { checkName, holdsHandlers, markHandlers, type ServiceFunction } from "../execution/load-function.ts";
import { argumentsCheck, checkedHandler } from "./checked-handler.ts";
import { definitionFaults } from "./definition-faults.ts";
import type { FunConfigInput } from "./fun-config.ts";
import { readsRequestInfo } from "./reads-request-info.ts";
import type { Definitions, FunctionDefinition, OtherName, OwnName, RequestTypeOf, Service } from "./service-types.ts";
import { isStandardSchema, jsonSchemaOf, type StandardSchema } from "./standard-schema.ts";

// The shorter overload comes first: while a call is being written, editors show the first overload with enough
// parameters. The return types are written out because the declarations of a user's module cannot name a type that the
// package does not export. Editors go from a call of a client to the key of a handler through the results: TypeScript
// keeps where a key stands unless it gets another name, so those that do are apart.
/**
 * Defines a service whose module the host names: `startGenApi({ modules: { user_service: url } })`. Otherwise as the
 * other overload.
 * @throws GenApiError `invalid_config`, as the other overload
 */
export function defineService<const Name extends string, const Args, Results, const ResponseTypes, const Names>(
  service: Name,
  functions: Definitions<Args, Results, ResponseTypes, Names>,
): Service<
  Name,
  { readonly [Key in keyof Args as RequestTypeOf<Key, Names>]: Args[Key] },
  { readonly [Key in keyof Results as OwnName<Key, Names>]: Results[Key] } & {
    readonly [Key in keyof Results as OtherName<Key, Names>]: Results[Key];
  },
  { readonly [Key in keyof ResponseTypes as RequestTypeOf<Key, Names>]: ResponseTypes[Key] }
>;
/**
 * Defines a service in a module of its own, which the gateway, its threads and service nodes all import:
 *
 * ```ts
 * export default defineService("user_service", import.meta.url, {
 *   get_user: { args: { user_id: "string" }, handler: async ({ user_id }) => ({ id: user_id, name: "Alice" }) },
 * });
 * ```
 *
 * The module must export the definition, because a thread finds the handlers by importing it. Without the URL the host
 * has to name the module: `startGenApi({ modules: { user_service: url } })`. Defaults that differ from a FunConfig's:
 * `nodes` "local", `timeout` 5 000 ms, `argOrders` "map", `requestInfo` true if the handler can use it, the JSON Schemas
 * those that the libraries of its schemas make.
 *
 * @throws GenApiError `invalid_config` that lists every fault, each with the function and its field
 */
export function defineService<const Name extends string, const Args, Results, const ResponseTypes, const Names>(
  service: Name,
  url: string | URL,
  functions: Definitions<Args, Results, ResponseTypes, Names>,
): Service<
  Name,
  { readonly [Key in keyof Args as RequestTypeOf<Key, Names>]: Args[Key] },
  { readonly [Key in keyof Results as OwnName<Key, Names>]: Results[Key] } & {
    readonly [Key in keyof Results as OtherName<Key, Names>]: Results[Key];
  },
  { readonly [Key in keyof ResponseTypes as RequestTypeOf<Key, Names>]: ResponseTypes[Key] }
>;
export function defineService(service: string, ...rest: [string | URL, object] | [object]): Service {
  const [url, functions] = rest.length === 2 ? rest : [null, rest[0]];
  const what = `Invalid defineService(${shown(service)})`;
  return reading("invalid_config", what, functions, () => {
    const faults = definitionFaults(service, url, functions, (name, definition) => {
      return configOf(service, name, definition as FunctionDefinition<unknown>);
    });
    if (faults.length > 0) throw faultsError("invalid_config", what, faults);
    const definitions = Object.entries(functions) as [string, FunctionDefinition<unknown>][];
    return markHandlers({
      service,
      url: url === null ? null : String(url),
      functions: definitions.map(([name, definition]) => configOf(service, name, definition)),
      handlers: new Map(definitions.map(([name, definition]) => [name, handlerOf(definition)])),
      checks: new Map(
        definitions.flatMap(([name, { args }]) => {
          return isStandardSchema(args) ? [[checkName(name), argumentsCheck(args)] as const] : [];
        }),
      ),
    });
  });
}

function handlerOf({ args, result, chunk, checkResults, handler }: FunctionDefinition<unknown>): ServiceFunction {
  const isChecked = checkResults === true;
  return checkedHandler(handler as ServiceFunction, {
    args: isStandardSchema(args) ? args : null,
    result: isChecked ? (result ?? null) : null,
    chunk: isChecked ? (chunk ?? null) : null,
  });
}

function configOf(service: string, name: string, definition: FunctionDefinition<unknown>): FunConfigInput {
  const { args, result, chunk, checkResults: _, handler, ...fields } = definition;
  // Undefined fields count as left out.
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return {
    nodes: "local",
    timeout: 5_000,
    requestType: name,
    requestInfo: readsRequestInfo(handler),
    ...schemaField("argsSchema", args, "input"),
    ...schemaField("resultSchema", result, "output"),
    ...schemaField("chunkSchema", chunk, "output"),
    ...given,
    service,
    mfa: { module: service, function: name },
    argTypes: isStandardSchema(args) ? "schema" : ((args as ArgTypes | undefined) ?? {}),
    argOrders: "map",
  };
}

/** The field with the JSON Schema of a schema, where its library makes one. */
function schemaField(
  field: "argsSchema" | "resultSchema" | "chunkSchema",
  schema: StandardSchema | unknown,
  side: "input" | "output",
): Partial<FunConfigInput> {
  const json = isStandardSchema(schema) ? jsonSchemaOf(schema, side) : null;
  return json === null ? {} : { [field]: json };
}

/** Whether `value` is what {@link defineService} returns. */
export function holdsService(value: unknown): value is Service {
  return holdsHandlers(value) && "functions" in value;
}
