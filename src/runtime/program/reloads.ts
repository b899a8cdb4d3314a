import type { GenApiError } from "../../core/errors.ts";
import { refuseArgument } from "../../core/faults.ts";
import type { ReloadTotals } from "../../diagnostics/statistics.ts";
import type { Program } from "../../telemetry/main-loop.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { checkReloadOptions, type Reloaded, type ReloadOptions } from "../options/reload-options.ts";
import { Reload, type ReloadDeps } from "./reload.ts";

/** A reload that has not begun. */
interface Waiting {
  force: boolean;
  readonly reloaded: Promise<Reloaded>;
}

const started = telemetryEvent("reload.start");
const stopped = telemetryEvent("reload.stop");
const exception = telemetryEvent("reload.exception");

/**
 * The reloads of a program, one after another. Whoever asks for a service whose reload has not begun shares that one: it
 * will read the files as they are by then.
 */
export class Reloads {
  readonly #program: Program;
  readonly #deps: ReloadDeps;
  readonly #waiting = new Map<string, Waiting>();
  readonly #counts = { succeeded: 0, failed: 0 };
  #last: Promise<unknown> = Promise.resolve();
  #current: Reload | null = null;
  #closed: GenApiError | null = null;

  constructor(program: Program, deps: ReloadDeps) {
    this.#program = program;
    this.#deps = deps;
  }

  get counts(): ReloadTotals {
    return { ...this.#counts };
  }

  /** As `Gateway.reload`. */
  async reload(service: string, options: ReloadOptions = {}): Promise<Reloaded> {
    refuseArgument("reload", "service", service, typeof service === "string", "a string");
    const { force } = checkReloadOptions(options);
    const waiting = this.#waiting.get(service);
    if (waiting === undefined) return this.#add(service, force);
    waiting.force ||= force;
    return waiting.reloaded;
  }

  /** Reloads that have not taken effect never will. */
  close(error: GenApiError): void {
    this.#closed ??= error;
    this.#current?.cancel(error);
  }

  #add(service: string, force: boolean): Promise<Reloaded> {
    const reloaded = this.#last.then(() => {
      this.#waiting.delete(service);
      return this.#run(service, waiting.force);
    });
    const waiting: Waiting = { force, reloaded };
    this.#waiting.set(service, waiting);
    // Those who asked hear of a failure; it does not concern the next one.
    this.#last = reloaded.then(
      () => undefined,
      () => undefined,
    );
    return reloaded;
  }

  async #run(service: string, force: boolean): Promise<Reloaded> {
    if (this.#closed !== null) throw this.#closed;
    const { name, clock } = this.#program;
    const identity = { program: name, service };
    const startedAt = clock.now();
    const duration = () => Math.round((clock.now() - startedAt) * 1_000);
    if (started.active) started.emit({ system_time: clock.systemTime() }, identity);
    try {
      this.#current = new Reload(service, force, this.#deps);
      const reloaded = await this.#current.run();
      this.#counts.succeeded++;
      const { functions, oldThreads } = reloaded;
      stopped.emit({ duration_us: duration(), count: functions.length, old_threads: oldThreads }, identity);
      return reloaded;
    } catch (thrown) {
      this.#counts.failed++;
      exception.emit({ duration_us: duration() }, { ...identity, error: thrown as Error });
      throw thrown;
    } finally {
      this.#current = null;
    }
  }
}
