import type { RefusedConfig } from "./push.ts";

/** A FunConfig of a node that a gateway refused. Argument values are not kept. */
export interface FailedConfig extends RefusedConfig {
  /** When, milliseconds since 1970. */
  readonly at: number;
  /** The service of the push or pull. */
  readonly service: string;
  /** The node that sent it. */
  readonly node: string;
  /** "shared": another gateway had accepted it. */
  readonly via: "push" | "pull" | "shared";
}

/** Totals of refused FunConfigs. */
export interface FailedConfigsSummary {
  /** Those kept now. */
  readonly count: number;
  /** All since the start or the last `clear`, including forgotten ones. */
  readonly total: number;
  /** Those kept now, by service. */
  readonly services: Readonly<Record<string, number>>;
  /** When the last one was refused, milliseconds since 1970; null if there was none. */
  readonly lastAt: number | null;
}

/** The last refused FunConfigs of nodes, for people who miss a function. */
export class FailedConfigs {
  readonly #kept: FailedConfig[] = [];
  readonly #capacity: number;
  #next = 0;
  #total = 0;

  /** @param capacity how many are kept; older ones are forgotten */
  constructor(capacity = 1_000) {
    this.#capacity = capacity;
  }

  add(failed: FailedConfig): void {
    this.#kept[this.#next] = { ...failed, faults: failed.faults.map(withoutValue) };
    this.#next = (this.#next + 1) % this.#capacity;
    this.#total += 1;
  }

  /** All of them, or those of one service; the newest last. */
  list(service?: string): FailedConfig[] {
    const isFull = this.#kept.length === this.#capacity;
    const inOrder = isFull ? [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)] : [...this.#kept];
    return service === undefined ? inOrder : inOrder.filter((failed) => failed.service === service);
  }

  summary(): FailedConfigsSummary {
    const list = this.list();
    const counts = new Map<string, number>();
    for (const { service } of list) counts.set(service, (counts.get(service) ?? 0) + 1);
    return {
      count: list.length,
      total: this.#total,
      services: Object.fromEntries(counts),
      lastAt: list.at(-1)?.at ?? null,
    };
  }

  clear(): void {
    this.#kept.length = 0;
    this.#next = 0;
    this.#total = 0;
  }
}

// The parts of a FunConfig that contain arguments: their values may be secrets, and faults end with the value.
const holdsValues = /^(?:mfa|permissionCallback|beforeExecute|afterExecute|nodes|argTypes)\b/;

function withoutValue(fault: string): string {
  return holdsValues.test(fault) ? fault.replace(/, got .*$/s, "") : fault;
}
