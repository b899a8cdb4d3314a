import { call } from "../../actor/gen-server/gen-server.ts";
import type { CompiledFunction } from "../../call/functions/compile-function.ts";
import type { FunConfig, FunConfigInput } from "../../config/fun-config.ts";
import type { FunctionTableRef } from "../../config/function-table.actor.ts";
import type { FunctionTable, Missing } from "../../config/function-table.ts";
import { type GenApiError, libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";

/** The parts of the gateway that {@link ConfigCache} needs. */
interface ConfigCacheDeps {
  readonly functionTable: FunctionTable<CompiledFunction>;
  /** The actor that currently owns the table. */
  owner(): FunctionTableRef | undefined;
  /** @throws GenApiError when the configuration cannot be registered */
  compile(config: unknown): Promise<CompiledFunction>;
}

/**
 * The functions that a gateway knows, for changes at run time. Reads are direct; changes are checked and compiled, then
 * the actor that owns the table makes them one after another.
 */
export class ConfigCache {
  readonly #deps: ConfigCacheDeps;

  /** @internal */
  constructor(deps: ConfigCacheDeps) {
    this.#deps = deps;
  }

  /** The number of functions; each version counts. */
  get count(): number {
    return this.#deps.functionTable.count;
  }

  /**
   * Registers a function, or replaces the one with its service, request type and version.
   * @throws GenApiError `invalid_config` listing every fault, `module_unreadable`, `function_missing`
   */
  async add(config: FunConfigInput): Promise<void> {
    const compiled = await this.#deps.compile(config);
    await call(this.#deps.owner(), "add", compiled);
  }

  /**
   * Registers all functions or, if one has a fault, none.
   * @throws as {@link add}
   */
  async batchAdd(configs: readonly FunConfigInput[]): Promise<void> {
    if (!Array.isArray(configs)) {
      throw libraryError("invalid_config", `batchAdd takes a list of FunConfigs, got ${shown(configs)}`);
    }
    const compiled = await allCompiled(configs.map((config) => this.#deps.compile(config)));
    const repeated = repeatedIn(compiled);
    if (repeated !== null) throw libraryError("invalid_config", `batchAdd was given the function ${repeated} twice`);
    await call(this.#deps.owner(), "batchAdd", compiled);
  }

  /**
   * Replaces a registered function.
   * @throws GenApiError `not_found`, otherwise as {@link add}
   */
  async update(config: FunConfigInput): Promise<void> {
    const compiled = await this.#deps.compile(config);
    const { service, requestType, version } = compiled.config;
    if (this.#deps.functionTable.find(service, requestType, version) === undefined) {
      throw libraryError("not_found", `There is no function ${named(service, requestType, version)} to update`);
    }
    await call(this.#deps.owner(), "add", compiled);
  }

  /** The function with exactly this version; null is the unversioned one. */
  get(service: string, requestType: string, version: string | null = null): FunConfig | Missing {
    const entry = this.#deps.functionTable.find(service, requestType, version);
    if (entry === undefined) return "not_found";
    return entry.config.disabled ? "disabled" : entry.config;
  }

  /** The function that a request without a version gets. */
  getLatest(service: string, requestType: string): FunConfig | Missing {
    const entry = this.#deps.functionTable.resolve(service, requestType, null);
    return typeof entry === "string" ? entry : entry.config;
  }

  /**
   * Enables this version again.
   * @returns false if the function does not exist
   */
  enable(service: string, requestType: string, version: string | null = null): Promise<boolean> {
    return call(this.#deps.owner(), "setDisabled", { service, requestType, version, disabled: false });
  }

  /**
   * Disables this version: its requests are refused as disabled.
   * @returns false if the function does not exist
   */
  disable(service: string, requestType: string, version: string | null = null): Promise<boolean> {
    return call(this.#deps.owner(), "setDisabled", { service, requestType, version, disabled: true });
  }

  /**
   * Removes this version.
   * @returns false if the function did not exist
   */
  delete(service: string, requestType: string, version: string | null = null): Promise<boolean> {
    return call(this.#deps.owner(), "delete", { service, requestType, version });
  }

  /** Removes every function. */
  clear(): Promise<void> {
    return call(this.#deps.owner(), "clear");
  }

  /** Every function, including disabled ones. */
  getAllFunctions(): FunConfig[] {
    return Array.from(this.#deps.functionTable.entries(), ({ config }) => config);
  }

  /** Every function of these services. */
  getFunctionsFromServices(services: Iterable<string>): FunConfig[] {
    return Array.from(this.#deps.functionTable.entries(services), ({ config }) => config);
  }

  /** The services that have functions. */
  getAllServices(): string[] {
    return this.#deps.functionTable.services();
  }
}

/** All of them, or an error that names the faults of each that has some. */
async function allCompiled(compiling: readonly Promise<CompiledFunction>[]): Promise<CompiledFunction[]> {
  const settled = await Promise.allSettled(compiling);
  const errors = settled.flatMap((result) => (result.status === "rejected" ? [result.reason as GenApiError] : []));
  const [first] = errors;
  if (first === undefined) return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (errors.length === 1) throw first;
  throw libraryError(first.code, errors.map(({ message }) => message).join("; "), {
    cause: new AggregateError(errors),
  });
}

/** The first name that occurs twice; null if all differ. */
function repeatedIn(compiled: readonly CompiledFunction[]): string | null {
  const names = new Set<string>();
  for (const { config } of compiled) {
    const name = named(config.service, config.requestType, config.version);
    if (names.has(name)) return name;
    names.add(name);
  }
  return null;
}

function named(service: string, requestType: string, version: string | null): string {
  return `${service}.${requestType}${version === null ? "" : ` version ${version}`}`;
}
