import type { Clock } from "../../core/time/clock.ts";
import { Waiters } from "../../core/time/waiters.ts";

/**
 * The services that the gateway's options expect. While one has no functions, because no node has pushed it and no pull
 * succeeded, or because all are forgotten, its functions are unavailable rather than unknown.
 */
export class ExpectedServices {
  readonly #expected: ReadonlySet<string>;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #present = new Set<string>();
  /** Since when a service has had no node, by the clock's `now`. */
  readonly #alone = new Map<string, number>();
  readonly #waiters = new Waiters();

  /** @param graceMs how long a service may be without nodes before it counts as missing, milliseconds */
  constructor(services: Iterable<string>, clock: Clock, graceMs: number) {
    this.#expected = new Set(services);
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Whether the service is expected and has no functions. */
  isExpected(service: string): boolean {
    return this.#expected.has(service) && !this.#present.has(service);
  }

  /** The expected services without functions, or without nodes for longer than a restart may take. */
  missing(): string[] {
    const before = this.#clock.now() - this.#graceMs;
    return [...this.#expected].filter(
      (service) => !this.#present.has(service) || (this.#alone.get(service) ?? Number.POSITIVE_INFINITY) <= before,
    );
  }

  /**
   * Resolves when all have functions; at once if they do.
   * @throws the error of {@link close} (as a rejection)
   */
  async allArrived(): Promise<void> {
    if (this.#present.size < this.#expected.size) await this.#waiters.wait();
  }

  /** The service's functions are registered. */
  arrived(service: string): void {
    if (!this.#expected.has(service)) return;
    this.#present.add(service);
    if (this.#present.size === this.#expected.size) this.#waiters.resolveAll();
  }

  /** The last of the service's functions are about to go. */
  gone(service: string): void {
    this.#present.delete(service);
  }

  /**
   * Nodes came or went.
   * @param hasNodes whether one of the service's nodes is up
   */
  look(hasNodes: (service: string) => boolean): void {
    for (const service of this.#expected) {
      if (hasNodes(service)) this.#alone.delete(service);
      else if (!this.#alone.has(service)) this.#alone.set(service, this.#clock.now());
    }
  }

  /** Services that are missing will not come any more. */
  close(error: Error): void {
    this.#waiters.rejectAll(error);
  }
}
