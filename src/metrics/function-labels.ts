/** The label of every function that has no labels of its own. */
export const other = "other";

/** The labels of a function. */
export interface FunctionLabel {
  readonly service: string;
  readonly type: string;
}

const otherFunction: FunctionLabel = { service: other, type: other };

/**
 * Assigns labels to functions. Clients can name any services and types: only registered ones get labels of their own,
 * and at most a maximum number of them, however many come and go.
 */
export class FunctionLabels {
  readonly #isRegistered: (service: string, type: string) => boolean;
  readonly #max: number;
  readonly #services = new Map<string, Map<string, FunctionLabel>>();
  #count = 0;

  constructor(isRegistered: (service: string, type: string) => boolean, max: number) {
    this.#isRegistered = isRegistered;
    this.#max = max;
  }

  /** @returns always the same object for the same labels */
  of(service: string | null, type: string | null): FunctionLabel {
    if (service === null || type === null) return otherFunction;
    const known = this.#services.get(service)?.get(type);
    if (known !== undefined) return known;
    if (this.#count >= this.#max || !this.#isRegistered(service, type)) return otherFunction;
    const label = { service, type };
    const types = this.#services.get(service);
    if (types === undefined) this.#services.set(service, new Map([[type, label]]));
    else types.set(type, label);
    this.#count++;
    return label;
  }
}
