import { faultsOf, namesKeys } from "../../core/faults.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { type AcceptedPush, acceptedPushSchema } from "../push/push.ts";

const refusedEvent = telemetryEvent("config.shared.refused");

/** The callbacks of a {@link SharedIntake}. */
export interface SharedIntakeDeps {
  readonly gateway: string;
  readonly maxFunctions: number;
  systemTime(): number;
  shared(push: AcceptedPush): Promise<void>;
  removed(service: string, node: string): Promise<void>;
  /** Everything that was there is registered. */
  read(): void;
}

/** A push, or its withdrawal. */
export type SharedChange =
  | { readonly push: AcceptedPush }
  | { readonly removed: { readonly service: string; readonly node: string } };

/**
 * Processes what gateways share, one after another; of several changes of one node's functions only the last counts.
 */
export class SharedIntake {
  readonly #deps: SharedIntakeDeps;
  readonly #waiting = new Map<string, SharedChange>();
  #isWorking = false;
  #isRead = false;

  constructor(deps: SharedIntakeDeps) {
    this.#deps = deps;
  }

  /** @returns a promise for the end of the work that this started; undefined if it already runs */
  add(change: SharedChange): Promise<void> | undefined {
    const { service, node } = "push" in change ? change.push : change.removed;
    const key = JSON.stringify([service, node]);
    if ("push" in change) {
      const problem = problemOf(change.push, this.#deps.maxFunctions);
      if (problem !== undefined) {
        this.refused(key, problem);
        return undefined;
      }
    }
    // Removed first: a change goes to the end of the queue.
    this.#waiting.delete(key);
    this.#waiting.set(key, change);
    return this.#isWorking ? undefined : this.#work();
  }

  /**
   * Everything that was there has been added.
   * @returns as {@link add}
   */
  read(): Promise<void> | undefined {
    this.#isRead = true;
    return this.#isWorking ? undefined : this.#work();
  }

  /** An entry was left out. */
  refused(key: string, problem: string): void {
    const { gateway, systemTime } = this.#deps;
    refusedEvent.emit(
      { system_time: systemTime() },
      { gateway, key: key.slice(0, 500), problem: problem.slice(0, 500) },
    );
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (const [key, change] of this.#waiting) {
      this.#waiting.delete(key);
      if ("push" in change) await this.#deps.shared(change.push);
      else await this.#deps.removed(change.removed.service, change.removed.node);
    }
    this.#isWorking = false;
    if (!this.#isRead) return;
    this.#isRead = false;
    this.#deps.read();
  }
}

function problemOf(push: AcceptedPush, maxFunctions: number): string | undefined {
  const parsed = acceptedPushSchema.safeParse(push, namesKeys);
  if (!parsed.success) return faultsOf(parsed.error).join("; ");
  const { length } = parsed.data.functions;
  return length <= maxFunctions ? undefined : `functions must be at most ${maxFunctions} long, got ${length}`;
}
