import type { ArgOrders, ArgTypes } from "../arguments/declarations.ts";

/** A function of a module that the program which calls it has under that name: its option `modules`, or a service's. */
export interface ModuleFunction {
  /** The module's name. */
  module: string;
  /** The name that the module exports it by. */
  function: string;
  /** Arguments that stand with those of each call: before a function's own, after a hook's. @default [] */
  args?: unknown[] | undefined;
}

/** A {@link ModuleFunction}, or `"module.function"` where no arguments stand with it. */
export type ModuleFunctionInput = ModuleFunction | string;

/**
 * A function's configuration as it is written: what has a default may be left out. docs/functions.md explains the
 * fields, `validateFunConfig` says what is wrong with one.
 */
export interface FunConfigInput {
  /** The function's public name, which requests name as `request_type`. */
  readonly requestType: string;
  /** The service that it belongs to. */
  readonly service: string;
  /**
   * Where it runs: `"local"`, in this program; on one of the named service nodes; or on one of those that a function of
   * the gateway's, a resolver, names.
   */
  readonly nodes: "local" | string[] | ModuleFunction;
  /** How long the answer of a resolver in `nodes` is kept, milliseconds; 0 asks it for every request. @default 5_000 */
  readonly nodesTtlMs?: number | undefined;
  /**
   * Which of several live nodes takes a request: any; `"roundRobin"`, one after the other; `"hash"`, by the request's
   * id; `{hash}`, by the value of this argument; `{sticky}`, by the value of this argument, or by the connection's
   * `"userId"` or `"deviceId"`, and remembered. @default "random"
   */
  readonly chooseNodeMode?: "random" | "hash" | "roundRobin" | { hash: string } | { sticky: string } | undefined;
  /**
   * How long one attempt may take, milliseconds, from 100 to 300_000, or `"infinity"`; of a stream, how long it may go
   * without a chunk.
   */
  readonly timeout: number | "infinity";
  /** The function to call. */
  readonly mfa: ModuleFunctionInput;
  /**
   * The types and limits of its arguments, by name; what a client sends is checked by them before the function is
   * called. @default null: it takes no arguments, and what was sent is ignored
   */
  readonly argTypes?: ArgTypes | null | undefined;
  /** The order in which it takes them; `"map"`: all as one object. @default the order of `argTypes` */
  readonly argOrders?: ArgOrders | undefined;
  /**
   * How a request is answered: `"sync"`, once, with the result; `"async"`, at once that it was accepted, later with the
   * result; `"stream"`, with any number of chunks; `"none"`, only that it was accepted. @default "sync"
   */
  readonly responseType?: "sync" | "async" | "stream" | "none" | undefined;
  /**
   * Who may call it: `false`, everybody; `"any_authenticated"`, every connection with a user id; `{arg}`, only the user
   * that this argument names; `{role}`, every connection with one of these roles. @default false
   */
  readonly checkPermission?: false | "any_authenticated" | { arg: string } | { role: string[] } | undefined;
  /**
   * A function that decides instead of `checkPermission`, where the function itself would run: it gets the HookRequest,
   * and only `true` permits. @default null
   */
  readonly permissionCallback?: ModuleFunctionInput | null | undefined;
  /**
   * A semantic version. Versions stand side by side; a request that names none gets the highest that is enabled.
   * @default null: unversioned
   */
  readonly version?: string | null | undefined;
  /** Keeps this version but refuses its calls, with `disabled`. @default false */
  readonly disabled?: boolean | undefined;
  /**
   * How many more attempts, up to 100, a failed call gets: at the nodes of the first one (`sameNode`), or at nodes
   * that are chosen anew (`allNodes`, and a bare number). @default null: none
   */
  readonly retry?: number | { sameNode: number } | { allNodes: number } | null | undefined;
  /**
   * A hook on the gateway's own thread, called with the HookRequest and the FunConfig before each request is executed:
   * it may return `{request, funConfig}`, either of them changed, and refuses the request by a throw. @default null
   */
  readonly beforeExecute?: ModuleFunctionInput | null | undefined;
  /**
   * A hook on the gateway's own thread, called with the HookRequest, the FunConfig and the final Response: it may return
   * another Response. @default null
   */
  readonly afterExecute?: ModuleFunctionInput | null | undefined;
  /** How long the promise of a hook or resolver may take, milliseconds. @default 5_000 */
  readonly hookTimeout?: number | undefined;
  /** Whether the function gets a RequestInfo, who asks and a signal that aborts, as its last argument. @default false */
  readonly requestInfo?: boolean | undefined;
  /**
   * Where a program runs it: on a worker thread, or on its own, `"main"`, for what is trivial or needs that thread.
   * @default "worker"
   */
  readonly runOn?: "worker" | "main" | undefined;
}
