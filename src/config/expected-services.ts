import { Waiters } from "../core/waiters.ts";

/**
 * The services that a gateway was told to expect and that no node has pushed yet, and none was pulled from: until then
 * their functions are unavailable rather than unknown.
 */
export class ExpectedServices {
  readonly #missing: Set<string>;
  readonly #waiters = new Waiters();

  constructor(services: Iterable<string> = []) {
    this.#missing = new Set(services);
  }

  /** Whether the service is still expected. */
  isExpected(service: string): boolean {
    return this.#missing.has(service);
  }

  /** The services that are still expected. */
  missing(): string[] {
    return [...this.#missing];
  }

  /** Resolves when none is missing any more, at once if none is. @throws the error of {@link close} (as a rejection) */
  async allArrived(): Promise<void> {
    if (this.#missing.size > 0) await this.#waiters.wait();
  }

  /** The service's functions are registered. */
  arrived(service: string): void {
    this.#missing.delete(service);
    if (this.#missing.size === 0) this.#waiters.resolveAll();
  }

  /** Those that are missing do not come any more. */
  close(error: Error): void {
    this.#waiters.rejectAll(error);
  }
}
