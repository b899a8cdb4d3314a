import { runOnMain } from "../call/run-on-main.ts";
import { streamOnMain } from "../call/stream-on-main.ts";
import type { FunConfig } from "../config/fun-config.ts";
import { allowedUrl, allowlistFault, type ModuleAllowlist } from "../config/module-allowlist.ts";
import { builtInModule } from "../config/service-config.ts";
import { type GenApiError, libraryError } from "../core/errors.ts";
import { loadFunction, type ServiceFunction } from "../core/load-function.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "../node/remote-call.ts";
import type { Program } from "../telemetry/main-loop.ts";
import { internalError } from "../worker/thrown-data.ts";
import type { RunningStream, RunningTask, WorkerCall, WorkerStream, WorkerTarget } from "../worker/worker-call.ts";
import type { WorkerPools } from "./worker-pools.ts";

/** What {@link NodeFunctions} needs of its node. */
export interface NodeFunctionsSources extends ModuleAllowlist {
  /** The service node. */
  readonly program: Program;
  readonly pools: WorkerPools;
  /** The node's own functions for gateways, under the module {@link builtInModule}. */
  readonly builtIn: ReadonlyMap<string, ServiceFunction>;
}

const nothingRuns: RunningStream = { cancel: () => undefined, grant: () => undefined };

/** A service node's functions, by the names that gateways call them: on its threads, or on its main thread. */
export class NodeFunctions implements RemoteNode {
  readonly #sources: NodeFunctionsSources;
  /** Functions with `runOn: "main"`, by module and name. */
  readonly #onMain = new Map<string, Map<string, ServiceFunction>>();

  constructor(sources: NodeFunctionsSources) {
    this.#sources = sources;
    this.#onMain.set(builtInModule, new Map(sources.builtIn));
  }

  /**
   * Makes sure that a FunConfig's functions can be called here.
   * @throws GenApiError `invalid_config` where its module is not allowed, `module_unreadable`, `function_missing`
   */
  async add(config: FunConfig): Promise<void> {
    const { service, requestType, responseType, mfa, permissionCallback, runOn } = config;
    for (const called of permissionCallback === null ? [mfa] : [mfa, permissionCallback]) {
      const { module, function: name } = called;
      const url = allowedUrl(called, this.#sources);
      if (url === null) {
        const fault = this.#fault(called === mfa ? "mfa" : "permissionCallback", called);
        throw libraryError("invalid_config", `${service}.${requestType}: ${fault}`);
      }
      if (runOn === "worker") {
        await this.#sources.pools.verify(url, name, called === mfa ? responseType : "sync");
      } else {
        const { run } = await loadFunction(url, name);
        const functions = this.#onMain.get(module) ?? new Map<string, ServiceFunction>();
        this.#onMain.set(module, functions.set(name, run));
      }
    }
  }

  run(call: RemoteCall): RunningTask {
    const main = this.#onMain.get(call.module)?.get(call.function);
    if (main !== undefined) return runOnMain(main, call, this.#sources.program);
    const url = allowedUrl(call, this.#sources);
    if (url !== null) return this.#sources.pools.async.run(new ThreadCall(call, url));
    call.failed(this.#refusal(call), false);
    return nothingRuns;
  }

  stream(stream: RemoteStream): RunningStream {
    const { program, pools } = this.#sources;
    const main = this.#onMain.get(stream.module)?.get(stream.function);
    if (main !== undefined) return streamOnMain(main, stream, program);
    const url = allowedUrl(stream, this.#sources);
    if (url !== null) return pools.stream.stream(new ThreadStream(stream, url));
    stream.failed(this.#refusal(stream), false);
    return nothingRuns;
  }

  #refusal(target: WorkerTarget): GenApiError {
    return internalError(libraryError("permission_denied", this.#fault("mfa", target) ?? ""));
  }

  #fault(field: string, called: Pick<WorkerTarget, "module" | "function">): string | null {
    return allowlistFault(field, called, this.#sources, "node");
  }
}

/** A gateway's call, with the URL that the module's name stands for on this node. */
class ThreadTarget implements WorkerTarget {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  readonly module: string;
  readonly function: string;
  readonly args: readonly unknown[];
  readonly identity: RequestIdentity | null;
  readonly maxResultBytes: number;

  constructor(target: WorkerTarget, url: string) {
    this.service = target.service;
    this.requestType = target.requestType;
    this.version = target.version;
    this.module = url;
    this.function = target.function;
    this.args = target.args;
    this.identity = target.identity;
    this.maxResultBytes = target.maxResultBytes;
  }
}

class ThreadCall extends ThreadTarget implements WorkerCall {
  readonly #call: RemoteCall;

  constructor(call: RemoteCall, url: string) {
    super(call, url);
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
  readonly #stream: RemoteStream;

  constructor(stream: RemoteStream, url: string) {
    super(stream, url);
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
