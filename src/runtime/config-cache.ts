import { call } from "../actor/gen-server.ts";
import type { CompiledFunction } from "../call/compile-function.ts";
import type { ConfigCacheRef } from "../config/config-cache.actor.ts";
import type { ConfigStore, Missing } from "../config/config-store.ts";
import type { FunConfig, FunConfigInput } from "../config/fun-config.ts";
import { type GenApiError, libraryError } from "../core/errors.ts";

/** What {@link ConfigCache} needs of the gateway. */
interface ConfigCacheSources {
  readonly store: ConfigStore<CompiledFunction>;
  /** The actor that owns the table now. */
  owner(): ConfigCacheRef | undefined;
  /** @throws GenApiError when the configuration cannot be registered */
  compile(config: unknown): Promise<CompiledFunction>;
}

/** How many functions a gateway knows, and of whom. */
export interface ConfigCacheStatus {
  /** Versions are counted one by one. */
  readonly count: number;
  /** How many of them are of each service. */
  readonly services: Readonly<Record<string, number>>;
}

/**
 * The functions that a gateway knows, to be changed at run time. Reads are direct; changes are checked, compiled, and
 * then made one after another by the actor that owns the table.
 */
export class ConfigCache {
  readonly #sources: ConfigCacheSources;

  /** @internal */
  constructor(sources: ConfigCacheSources) {
    this.#sources = sources;
  }

  /** How many functions there are, versions counted one by one. */
  get count(): number {
    return this.#sources.store.count;
  }

  /**
   * Registers a function, or replaces the one with its service, request type and version.
   * @throws GenApiError `invalid_config` listing every fault, `module_unreadable`, `function_missing`
   */
  async add(config: FunConfigInput): Promise<void> {
    const compiled = await this.#sources.compile(config);
    await call(this.#sources.owner(), "add", compiled);
  }

  /** Registers all of them, or, when one has a fault, none. @throws as {@link add} */
  async batchAdd(configs: readonly FunConfigInput[]): Promise<void> {
    const compiled = await allCompiled(configs.map((config) => this.#sources.compile(config)));
    await call(this.#sources.owner(), "batchAdd", compiled);
  }

  /** Replaces a function that is registered. @throws GenApiError `not_found`, else as {@link add} */
  async update(config: FunConfigInput): Promise<void> {
    const compiled = await this.#sources.compile(config);
    const { service, requestType, version } = compiled.config;
    if (this.#sources.store.find(service, requestType, version) === undefined) {
      throw libraryError("not_found", `There is no function ${named(service, requestType, version)} to update`);
    }
    await call(this.#sources.owner(), "add", compiled);
  }

  /** Exactly this version; null is the unversioned one. */
  get(service: string, requestType: string, version: string | null = null): FunConfig | Missing {
    const entry = this.#sources.store.find(service, requestType, version);
    if (entry === undefined) return "not_found";
    return entry.config.disabled ? "disabled" : entry.config;
  }

  /** What a request without a version gets. */
  getLatest(service: string, requestType: string): FunConfig | Missing {
    const entry = this.#sources.store.resolve(service, requestType, null);
    return typeof entry === "string" ? entry : entry.config;
  }

  /** Lets requests for this version in again. @returns false when there is no such function */
  enable(service: string, requestType: string, version: string | null = null): Promise<boolean> {
    return call(this.#sources.owner(), "setDisabled", { service, requestType, version, disabled: false });
  }

  /** Requests for this version are told that it is disabled. @returns false when there is no such function */
  disable(service: string, requestType: string, version: string | null = null): Promise<boolean> {
    return call(this.#sources.owner(), "setDisabled", { service, requestType, version, disabled: true });
  }

  /** Forgets this version. @returns false when there was no such function */
  delete(service: string, requestType: string, version: string | null = null): Promise<boolean> {
    return call(this.#sources.owner(), "delete", { service, requestType, version });
  }

  /** Forgets every function. */
  clear(): Promise<void> {
    return call(this.#sources.owner(), "clear");
  }

  /** Every function, disabled ones included. */
  getAllFunctions(): FunConfig[] {
    return Array.from(this.#sources.store.entries(), ({ config }) => config);
  }

  /** Every function of these services. */
  getFunctionsFromServices(services: Iterable<string>): FunConfig[] {
    return Array.from(this.#sources.store.entries(services), ({ config }) => config);
  }

  /** The services that have functions. */
  getAllServices(): string[] {
    return this.#sources.store.services();
  }

  /** How many functions there are, in all and by service. */
  status(): ConfigCacheStatus {
    const counts = this.getAllServices().map((service) => [service, this.getFunctionsFromServices([service]).length]);
    return { count: this.count, services: Object.fromEntries(counts) };
  }
}

/** All of them, or an error that names what is wrong with each that has a fault. */
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

function named(service: string, requestType: string, version: string | null): string {
  return `${service}.${requestType}${version === null ? "" : ` version ${version}`}`;
}
