import { faultsOf } from "../core/faults.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { type AcceptedPush, acceptedPushSchema } from "./push.ts";

const refusedEvent = telemetryEvent("config.shared.refused");

/** What {@link SharedIntake} needs. */
export interface SharedIntakeSources {
  readonly gateway: string;
  readonly maxFunctions: number;
  systemTime(): number;
  shared(push: AcceptedPush): Promise<void>;
  removed(service: string, node: string): Promise<void>;
}

/** A push, or that there is none any more. */
export type SharedChange =
  | { readonly push: AcceptedPush }
  | { readonly removed: { readonly service: string; readonly node: string } };

/** What gateways share, taken in one after another; of several changes of one node's functions only the last counts. */
export class SharedIntake {
  readonly #sources: SharedIntakeSources;
  readonly #waiting = new Map<string, SharedChange>();
  #isWorking = false;

  constructor(sources: SharedIntakeSources) {
    this.#sources = sources;
  }

  /** @returns a promise for the end of the work that this began; undefined where it is under way */
  add(change: SharedChange): Promise<void> | undefined {
    const { service, node } = "push" in change ? change.push : change.removed;
    const key = JSON.stringify([service, node]);
    if ("push" in change) {
      const problem = problemOf(change.push, this.#sources.maxFunctions);
      if (problem !== undefined) {
        this.refused(key, problem);
        return undefined;
      }
    }
    // Taken out first: a change goes to the end of the queue.
    this.#waiting.delete(key);
    this.#waiting.set(key, change);
    return this.#isWorking ? undefined : this.#work();
  }

  /** An entry was left out. */
  refused(key: string, problem: string): void {
    const { gateway, systemTime } = this.#sources;
    refusedEvent.emit(
      { system_time: systemTime() },
      { gateway, key: key.slice(0, 500), problem: problem.slice(0, 500) },
    );
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (const [key, change] of this.#waiting) {
      this.#waiting.delete(key);
      if ("push" in change) await this.#sources.shared(change.push);
      else await this.#sources.removed(change.removed.service, change.removed.node);
    }
    this.#isWorking = false;
  }
}

function problemOf(push: AcceptedPush, maxFunctions: number): string | undefined {
  const parsed = acceptedPushSchema.safeParse(push);
  if (!parsed.success) return faultsOf(parsed.error).join("; ");
  const { length } = parsed.data.functions;
  return length <= maxFunctions ? undefined : `functions must be at most ${maxFunctions} long, got ${length}`;
}
