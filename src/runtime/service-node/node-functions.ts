import type { FunConfig } from "../../config/fun-config.ts";
import { nameOf, type PlacedUse, usesOnNode } from "../../config/function-uses.ts";
import { allowedPlace, allowlistFault, type ModuleAllowlist } from "../../config/module-allowlist.ts";
import { type GenApiError, libraryError } from "../../core/errors.ts";
import { internalError, unavailableError } from "../../core/failures.ts";
import { hostShare, type Share } from "../../core/fair/share.ts";
import type { RequestIdentity } from "../../core/request-info.ts";
import type { NestedListener, NestedRequest, RunningNested } from "../../execution/call-carrier.ts";
import { type FunctionKind, kindFault, kindOfFunction } from "../../execution/function-kind.ts";
import type { FunctionPlace, LoadedFunction, ServiceFunction } from "../../execution/load-function.ts";
import type { MainFunctions } from "../../execution/main-functions.ts";
import { runOnMain } from "../../execution/run-on-main.ts";
import { streamOnMain } from "../../execution/stream-on-main.ts";
import type {
  RunningStream,
  RunningTask,
  WorkerCall,
  WorkerStream,
  WorkerTarget,
} from "../../execution/worker-call.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "../../node/calls/remote-call.ts";
import { builtInModule } from "../../sync/service-config.ts";
import type { Program } from "../../telemetry/main-loop.ts";
import type { WorkerPools } from "../program/worker-pools.ts";

/** The parts of its node that {@link NodeFunctions} needs. */
export interface NodeFunctionsDeps extends ModuleAllowlist {
  /** The service node. */
  readonly program: Program;
  readonly pools: WorkerPools;
  readonly mainFunctions: MainFunctions;
  /** The node's built-in functions for gateways, under the module {@link builtInModule}. */
  readonly builtIn: ReadonlyMap<string, ServiceFunction>;
}

const nothingRuns: RunningStream = { cancel: () => undefined, grant: () => undefined, acknowledge: () => undefined };

/** A service node's functions, by the names that gateways use: on its threads, or on its main thread. */
export class NodeFunctions implements RemoteNode {
  readonly #deps: NodeFunctionsDeps;
  /** Functions with `runOn: "main"`, by module and name. */
  readonly #onMain = new Map<string, Map<string, LoadedFunction>>();
  readonly #uses: PlacedUse[] = [];

  constructor(deps: NodeFunctionsDeps) {
    this.#deps = deps;
    this.#onMain.set(builtInModule, new Map(Array.from(deps.builtIn, ([name, run]) => [name, { run }])));
  }

  /**
   * Ensures that a FunConfig's functions can be called here.
   * @throws GenApiError `invalid_config` if its module is not allowed, `module_unreadable`, `function_missing`
   */
  async add(config: FunConfig): Promise<void> {
    const { service, requestType } = config;
    for (const use of usesOnNode(config)) {
      const { field, called, runOn, responseType } = use;
      const { module, function: name } = called;
      const place = allowedPlace(called, this.#deps);
      if (place === null) {
        const fault = this.#fault(field, called);
        throw libraryError("invalid_config", `${service}.${requestType}: ${fault}`);
      }
      let kind: FunctionKind;
      if (runOn === "worker") {
        kind = await this.#deps.pools.verify(place, responseType ?? "sync");
      } else {
        const loaded = await this.#deps.mainFunctions.load(place);
        kind = kindOfFunction(loaded.run);
        const functions = this.#onMain.get(module) ?? new Map<string, LoadedFunction>();
        this.#onMain.set(module, functions.set(name, loaded));
      }
      const fault = kindFault(kind, responseType);
      if (fault !== null) {
        throw libraryError("invalid_config", `${service}.${requestType}: ${field} (${module}.${name}) ${fault}`);
      }
      this.#uses.push({ ...use, service, name: nameOf(config), place });
    }
  }

  /** What of its FunConfigs runs here. */
  uses(): readonly PlacedUse[] {
    return this.#uses;
  }

  run(call: RemoteCall): RunningTask {
    const main = this.#onMain.get(call.module)?.get(call.function);
    if (main !== undefined) return runOnMain(main.run, call, this.#deps.program);
    const place = allowedPlace(call, this.#deps);
    if (place !== null) return this.#deps.pools.async.run(new ThreadCall(call, place));
    call.failed(this.#refusal(call), false);
    return nothingRuns;
  }

  stream(stream: RemoteStream): RunningStream {
    const { program, pools } = this.#deps;
    const main = this.#onMain.get(stream.module)?.get(stream.function);
    if (main !== undefined) return streamOnMain(main.run, stream, program);
    const place = allowedPlace(stream, this.#deps);
    if (place !== null) return pools.stream.stream(new ThreadStream(stream, place));
    stream.failed(this.#refusal(stream), false);
    return nothingRuns;
  }

  #refusal(target: WorkerTarget): GenApiError {
    return internalError(libraryError("permission_denied", this.#fault("mfa", target) ?? ""));
  }

  #fault(field: string, called: Pick<WorkerTarget, "module" | "function">): string | null {
    return allowlistFault(field, called, this.#deps, "node");
  }
}

/** A gateway's call, with the URL of the named module on this node. */
class ThreadTarget implements WorkerTarget {
  readonly #target: WorkerTarget;
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  readonly module: string;
  readonly moduleName: string;
  readonly function: string;
  readonly ofService: boolean;
  readonly args: readonly unknown[];
  readonly identity: RequestIdentity | null;
  readonly share: Share;
  readonly isNested: boolean;
  readonly maxResultBytes: number;

  constructor(target: WorkerTarget, place: FunctionPlace) {
    this.#target = target;
    this.service = target.service;
    this.requestType = target.requestType;
    this.version = target.version;
    this.module = place.module;
    this.moduleName = place.moduleName;
    this.function = place.function;
    this.ofService = place.ofService;
    this.args = target.args;
    this.identity = target.identity;
    this.share = target.share ?? hostShare;
    this.isNested = target.isNested === true;
    this.maxResultBytes = target.maxResultBytes;
  }

  carry(request: NestedRequest, listener: NestedListener): RunningNested {
    if (this.#target.carry !== undefined) return this.#target.carry(request, listener);
    throw unavailableError(new Error("There is no gateway to call"));
  }
}

class ThreadCall extends ThreadTarget implements WorkerCall {
  readonly #call: RemoteCall;

  constructor(call: RemoteCall, place: FunctionPlace) {
    super(call, place);
    this.#call = call;
  }

  succeeded(json: string): void {
    this.#call.succeeded(json);
  }

  failed(error: GenApiError, begun: boolean): void {
    this.#call.failed(error, begun);
  }
}

class ThreadStream extends ThreadTarget implements WorkerStream {
  readonly window: number | null;
  readonly #stream: RemoteStream;

  constructor(stream: RemoteStream, place: FunctionPlace) {
    super(stream, place);
    this.window = stream.window ?? null;
    this.#stream = stream;
  }

  chunk(json: string): void {
    this.#stream.chunk(json);
  }

  ended(lastJson: string | null): void {
    this.#stream.ended(lastJson);
  }

  failed(error: GenApiError, begun: boolean): void {
    this.#stream.failed(error, begun);
  }
}
