import type { ArgOrders, ArgTypes, SchemaArguments } from "../arguments/declarations.ts";
import type { JsonSchema } from "../arguments/json-schema.ts";

/**
 * A function of a module of the program that calls it: the program's option `modules`, or one of its services, has the
 * module under this name.
 */
export interface ModuleFunction {
  /** The module's name. */
  module: string;
  /** The name of the module's export. */
  function: string;
  /** Fixed arguments of each call: before a function's own, after a hook's. @default [] */
  args?: readonly unknown[] | undefined;
}

/** A {@link ModuleFunction}, or `"module.function"` for one without fixed arguments. */
export type ModuleFunctionInput = ModuleFunction | string;

/**
 * A function's configuration as users write it: fields with a default may be left out. docs/functions.md explains the
 * fields; `validateFunConfig` reports faults.
 */
export interface FunConfigInput {
  /** The function's public name, used by requests as `request_type`. */
  readonly requestType: string;
  /** The service that it belongs to. */
  readonly service: string;
  /**
   * Where it runs: `"local"`, in this program; on one of the listed service nodes; or on one of the nodes that a
   * resolver, a function of the gateway, returns.
   */
  readonly nodes: "local" | readonly string[] | ModuleFunction;
  /**
   * How long the answer of a resolver in `nodes` is kept, milliseconds; 0 calls it for every request. @default 5_000
   */
  readonly nodesTtlMs?: number | undefined;
  /**
   * Which of several live nodes takes a request: any (`"random"`); one after the other (`"roundRobin"`); by the
   * request's id (`"hash"`); by the value of an argument (`{hash}`); by the remembered place of an argument's value, or
   * of the connection's `"userId"` or `"deviceId"` (`{sticky}`). @default "random"
   */
  readonly chooseNodeMode?: "random" | "hash" | "roundRobin" | { hash: string } | { sticky: string } | undefined;
  /**
   * How long one attempt may take, milliseconds, from 100 to 300_000, or `"infinity"`; for a stream, the longest pause
   * between chunks.
   */
  readonly timeout: number | "infinity";
  /** The function to call. */
  readonly mfa: ModuleFunctionInput;
  /**
   * The types and limits of its arguments, by name; a client's arguments are checked against them before the call.
   * `"schema"`: the handler of `defineService` has a schema of its own for them.
   * @default null: it takes no arguments, and those sent are ignored
   */
  readonly argTypes?: ArgTypes | SchemaArguments | null | undefined;
  /** The order of its arguments; `"map"`: all as one object. @default the order of `argTypes` */
  readonly argOrders?: ArgOrders | undefined;
  /**
   * How a request is answered: `"sync"`, once, with the result; `"async"`, at once that it was accepted, later with the
   * result; `"stream"`, with any number of chunks; `"none"`, only that it was accepted. @default "sync"
   */
  readonly responseType?: "sync" | "async" | "stream" | "none" | undefined;
  /**
   * Who may call it: `false`, every client; `"any_authenticated"`, every connection with a user id; `{arg}`, only the
   * user named by this argument; `{role}`, every connection with one of these roles; `{claim, arg}`, connections whose
   * claim this argument repeats; `{claim, in}`, connections whose claim is one of these values. @default false
   */
  readonly checkPermission?:
    | false
    | "any_authenticated"
    | { arg: string }
    | { role: readonly string[] }
    | { claim: string; arg: string }
    | { claim: string; in: readonly (string | number | boolean)[] }
    | undefined;
  /**
   * A function that decides instead of `checkPermission`. It runs where the function itself would run and gets the
   * HookRequest; only `true` permits. @default null
   */
  readonly permissionCallback?: ModuleFunctionInput | null | undefined;
  /**
   * A semantic version. Versions exist side by side; a request that names none gets the highest enabled one.
   * @default null: unversioned
   */
  readonly version?: string | null | undefined;
  /** Keeps this version but refuses its calls, with `disabled`. @default false */
  readonly disabled?: boolean | undefined;
  /**
   * How many more attempts, up to 100, a failed call gets: on the nodes of the first attempt (`sameNode`), or on newly
   * chosen nodes (`allNodes`, or a bare number). @default null: none
   */
  readonly retry?: number | { sameNode: number } | { allNodes: number } | null | undefined;
  /**
   * A hook on the gateway's own thread, called with the HookRequest and the FunConfig before each request is executed.
   * It may return `{request, funConfig}`, either of them changed; a throw refuses the request. @default null
   */
  readonly beforeExecute?: ModuleFunctionInput | null | undefined;
  /**
   * A hook on the gateway's own thread, called with the HookRequest, the FunConfig and the final Response. It may
   * return another Response. @default null
   */
  readonly afterExecute?: ModuleFunctionInput | null | undefined;
  /** Time limit for the promise of a hook or resolver, milliseconds. @default 5_000 */
  readonly hookTimeout?: number | undefined;
  /**
   * Whether the function gets a RequestInfo, with the caller's identity and a signal that aborts, as its last argument.
   * @default false
   */
  readonly requestInfo?: boolean | undefined;
  /**
   * Where a program runs it: on a worker thread, or on its own thread, `"main"`, for trivial functions and those that
   * need that thread.
   * @default "worker"
   */
  readonly runOn?: "worker" | "main" | undefined;
  /** What it does, for people who call it; at most 1 KiB. @default null */
  readonly description?: string | null | undefined;
  /** Whether clients should no longer call it; a text, of at most 1 KiB, says what to do instead. @default false */
  readonly deprecated?: boolean | string | undefined;
  /** The JSON Schema (2020-12) of its arguments, for descriptions only. @default null: made from `argTypes` */
  readonly argsSchema?: JsonSchema | null | undefined;
  /** The JSON Schema of its result, for descriptions only. @default null: unknown */
  readonly resultSchema?: JsonSchema | null | undefined;
  /** The JSON Schema of a chunk of its stream, for descriptions only. @default null: unknown */
  readonly chunkSchema?: JsonSchema | null | undefined;
  /** What a call may do, for tools that decide whether to make it. @default {}: nothing is known */
  readonly hints?: FunctionHints | undefined;
}

/** What is known of the effects of calling a function. */
export interface FunctionHints {
  /** Whether a call changes nothing. */
  readOnly?: boolean | undefined;
  /** Whether a call may destroy something. */
  destructive?: boolean | undefined;
  /** Whether a second call with the same arguments changes nothing more. */
  idempotent?: boolean | undefined;
}
