import type { PlacedUse } from "../../config/function-uses.ts";
import { type GenApiError, isGenApiError, libraryError, toError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { kindFault } from "../../execution/function-kind.ts";
import type { MainFunctions, MainRenewal } from "../../execution/main-functions.ts";
import type { Reloaded } from "../options/reload-options.ts";
import type { PoolsRenewal, WorkerPools } from "./worker-pools.ts";

/** The parts of a program that reloading needs. */
export interface ReloadDeps {
  readonly pools: WorkerPools;
  readonly mainFunctions: MainFunctions;
  /** The functions that run here now, of all services. */
  uses(): Iterable<PlacedUse>;
  /** The error for a service of which nothing runs here. @param known the services of which something does */
  notHere(service: string, known: readonly string[]): GenApiError;
}

// At most this many faults are named.
const maxFaults = 10;

/** One reload of a service: what runs from its modules is imported anew, and takes over if all of it is right. */
export class Reload {
  readonly #service: string;
  readonly #deps: ReloadDeps;
  readonly #modules: ReadonlySet<string>;
  readonly #main: MainRenewal;
  readonly #threads: PoolsRenewal;
  /** The uses that were verified, by {@link keyOf}. */
  readonly #verified = new Set<string>();
  #failure: GenApiError | null = null;
  #giveUp!: (error: GenApiError) => void;

  /**
   * @param force ends what runs the earliest code, if too many earlier versions still run calls
   * @throws GenApiError `not_found`, `invalid_option`, `unavailable`
   */
  constructor(service: string, force: boolean, deps: ReloadDeps) {
    this.#service = service;
    this.#deps = deps;
    const uses = [...deps.uses()];
    this.#modules = new Set(uses.filter((use) => use.service === service).map(({ place }) => place.module));
    if (this.#modules.size === 0) throw deps.notHere(service, [...new Set(uses.map((use) => use.service))]);
    this.#threads = deps.pools.renew(this.#modules, force);
    this.#main = deps.mainFunctions.renew(this.#modules);
  }

  /** @throws GenApiError `module_unreadable`, `function_missing`, `invalid_config`, or that of {@link cancel} */
  async run(): Promise<Reloaded> {
    const givenUp = new Promise<never>((_, reject) => {
      this.#giveUp = reject;
    });
    try {
      return await Promise.race([this.#run(), givenUp]);
    } catch (thrown) {
      const error = thrown as GenApiError;
      this.#failure ??= error;
      this.#threads.discard(error);
      throw error;
    }
  }

  /** Nothing changes any more. */
  cancel(error: GenApiError): void {
    this.#failure ??= error;
    this.#giveUp(error);
  }

  async #run(): Promise<Reloaded> {
    await this.#threads.started;
    // Functions may be registered meanwhile.
    for (let rest = this.#unverified(); rest.length > 0; rest = this.#unverified()) await this.#verifyAll(rest);
    if (this.#failure !== null) throw this.#failure;
    this.#threads.mayTakeOver();
    // From here on nothing can fail, and no call comes between.
    this.#main.takeOver();
    this.#threads.takeOver(this.#modules);
    const affected = [...this.#deps.uses()].filter(({ place }) => this.#modules.has(place.module));
    return {
      service: this.#service,
      modules: [...this.#modules],
      functions: [...new Set(affected.map(({ name }) => name))],
      oldThreads: this.#deps.pools.oldThreads,
    };
  }

  /** What the new code, or a fresh thread, will run: threads import the modules of all services anew. */
  #unverified(): PlacedUse[] {
    return [...this.#deps.uses()].filter(
      (use) => (use.runOn === "worker" || this.#modules.has(use.place.module)) && !this.#verified.has(keyOf(use)),
    );
  }

  async #verifyAll(uses: readonly PlacedUse[]): Promise<void> {
    const settled = await Promise.allSettled(uses.map((use) => this.#verify(use)));
    const faults = new Map<string, string>();
    let first: Error | null = null;
    settled.forEach((result, at) => {
      if (result.status === "fulfilled") return;
      const error = toError(result.reason);
      first ??= error;
      const { name, field, called } = uses[at] as PlacedUse;
      // All functions of a module fail alike if it cannot be imported.
      if (!faults.has(error.message))
        faults.set(error.message, `${name}: ${field} (${called.module}.${called.function})`);
    });
    if (first !== null) throw changedNothing(this.#service, first, faults);
  }

  async #verify(use: PlacedUse): Promise<void> {
    const { place, runOn, responseType } = use;
    const kind =
      runOn === "main" ? await this.#main.verify(place) : await this.#threads.verify(place, responseType ?? "sync");
    const fault = kind === null ? null : kindFault(kind, responseType);
    if (fault !== null) throw libraryError("invalid_config", fault);
    this.#verified.add(keyOf(use));
  }
}

function keyOf({ name, field, place, runOn, responseType }: PlacedUse): string {
  return JSON.stringify([name, field, place, runOn, responseType]);
}

// At most this many services are named.
const maxListed = 20;

/** The services that could be reloaded, for the error of one that cannot. */
export function listed(services: readonly string[]): string {
  if (services.length === 0) return "none";
  const more = services.length > maxListed ? `, ${services.length - maxListed} more` : "";
  return services.slice(0, maxListed).map(quote).join(", ") + more;
}

/** @param faults where each was found, by what it says */
function changedNothing(service: string, first: Error, faults: ReadonlyMap<string, string>): GenApiError {
  const named = [...faults].slice(0, maxFaults).map(([message, where]) => `${where}: ${message}`);
  const more = faults.size > maxFaults ? `; and ${faults.size - maxFaults} more` : "";
  const message = `The reload of ${quote(service)} changed nothing: ${named.join("; ")}${more}`;
  return libraryError(isGenApiError(first) ? first.code : "internal", message, { cause: first });
}
