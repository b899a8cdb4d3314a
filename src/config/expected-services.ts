/**
 * The services that a gateway was told to expect and that no node has pushed yet, and none was pulled from: until then
 * their functions are unavailable rather than unknown.
 */
export class ExpectedServices {
  readonly #missing: Set<string>;
  #waiting: (() => void)[] = [];

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

  /** Resolves when none is missing any more, at once if none is. */
  async allArrived(): Promise<void> {
    if (this.#missing.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The service's functions are registered. */
  arrived(service: string): void {
    this.#missing.delete(service);
    if (this.#missing.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
