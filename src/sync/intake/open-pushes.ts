import { libraryError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { PushBegin, PushLimits } from "../push/push.ts";
import { FunctionDraft } from "./function-intake.ts";

/** A push that has begun and not ended. */
export interface OpenPush {
  readonly id: number;
  readonly node: string;
  readonly begin: PushBegin;
  /** When it began, by the clock's `now`. */
  readonly startedAt: number;
  readonly draft: FunctionDraft;
  /** How many functions came, and how many of them were refused. */
  received: number;
  refused: number;
  /** Whether a slice is being checked. */
  isBusy: boolean;
  timer: unknown;
}

/** The open pushes: few of each node, and none that stands still for long. */
export class OpenPushes {
  readonly #pushes = new Map<number, OpenPush>();
  readonly #clock: Clock;
  readonly #limits: PushLimits;

  constructor(clock: Clock, limits: PushLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get size(): number {
    return this.#pushes.size;
  }

  /** @throws GenApiError `unavailable` if the node has too many open ones */
  open(id: number, node: string, begin: PushBegin): OpenPush {
    const { maxPushesPerNode } = this.#limits;
    let count = 0;
    for (const push of this.#pushes.values()) if (push.node === node) count += 1;
    if (count >= maxPushesPerNode) {
      throw libraryError(
        "unavailable",
        `The node "${node}" has ${maxPushesPerNode} pushes under way, as many as it may`,
      );
    }
    const push: OpenPush = {
      id,
      node,
      begin,
      startedAt: this.#clock.now(),
      draft: new FunctionDraft(),
      received: 0,
      refused: 0,
      isBusy: false,
      timer: undefined,
    };
    this.#pushes.set(id, push);
    this.wait(push);
    return push;
  }

  /**
   * The node's push.
   * @throws GenApiError `not_found`, or `invalid_request` while a slice of it is being checked
   */
  get(id: number, node: string): OpenPush {
    const push = this.#pushes.get(id);
    if (push?.node !== node) throw libraryError("not_found", `The node "${node}" has no push ${id} under way`);
    if (push.isBusy) {
      throw libraryError("invalid_request", `A slice of push ${id} is still being checked: wait for its answer`);
    }
    return push;
  }

  /** Whether it is still open. */
  has(push: OpenPush): boolean {
    return this.#pushes.get(push.id) === push;
  }

  /** Starts the time limit for the node's next step. */
  wait(push: OpenPush): void {
    push.timer = this.#clock.setTimeout(() => this.close(push), this.#limits.pushTimeoutMs);
  }

  /** The node has taken its next step. */
  proceed(push: OpenPush): void {
    this.#clock.clearTimeout(push.timer);
  }

  close(push: OpenPush): void {
    this.#clock.clearTimeout(push.timer);
    this.#pushes.delete(push.id);
  }

  /** Drops the open pushes of a lost node. */
  closeAll(node: string): void {
    for (const push of this.#pushes.values()) if (push.node === node) this.close(push);
  }
}
