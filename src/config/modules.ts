/** The parts of a `defineService` service that are needed to find its functions. */
interface Defined {
  readonly service: string;
  readonly url: string | null;
  readonly handlers: ReadonlyMap<string, unknown>;
}

/** The modules of a program, by their names in FunConfigs. */
export class Modules {
  readonly #urls: Map<string, string>;
  /** URLs of the handlers of services, by service and function. */
  readonly #handlers = new Map<string, Map<string, string>>();

  /**
   * @param named module names and URLs
   * @param services each is a module under its own name, with precedence over a module of that name
   */
  constructor(named: Iterable<readonly [string, string]>, services: Iterable<Defined> = []) {
    this.#urls = new Map(named);
    for (const { service, url, handlers } of services) {
      if (url === null) continue;
      if (!this.#urls.has(service)) this.#urls.set(service, url);
      const places = this.#handlers.get(service) ?? new Map<string, string>();
      this.#handlers.set(service, places);
      for (const name of handlers.keys()) places.set(name, url);
    }
  }

  get names(): string[] {
    return [...this.#urls.keys()];
  }

  has(name: string): boolean {
    return this.#urls.has(name);
  }

  /** The URL of the module that should contain a function. */
  urlOf(module: string, name: string): string | undefined {
    return this.#handlers.get(module)?.get(name) ?? this.#urls.get(module);
  }
}
