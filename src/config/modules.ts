/** The parts of a `defineService` service that are needed to find its functions. */
interface Defined {
  readonly service: string;
  readonly url: string | null;
  readonly handlers: ReadonlyMap<string, unknown>;
}

/** Where a function of a module should be. */
export interface ModulePlace {
  readonly url: string;
  /** Whether it is a handler of a service of this name, which the program has. */
  readonly ofService: boolean;
}

/** The modules of a program, by their names in FunConfigs. */
export class Modules {
  readonly #urls: Map<string, string>;
  /** URLs of the handlers of services, by service and function; null where the host names the module. */
  readonly #handlers = new Map<string, Map<string, string | null>>();

  /**
   * @param named module names and URLs
   * @param services each is a module under its own name, with precedence over a module of that name
   */
  constructor(named: Iterable<readonly [string, string]>, services: Iterable<Defined> = []) {
    this.#urls = new Map(named);
    for (const { service, url, handlers } of services) {
      if (url !== null && !this.#urls.has(service)) this.#urls.set(service, url);
      const places = this.#handlers.get(service) ?? new Map<string, string | null>();
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

  /** Where a function should be; null if the module is unknown. */
  find(module: string, name: string): ModulePlace | null {
    const ofHandler = this.#handlers.get(module)?.get(name);
    const url = ofHandler ?? this.#urls.get(module);
    return url === undefined ? null : { url, ofService: ofHandler !== undefined };
  }
}
