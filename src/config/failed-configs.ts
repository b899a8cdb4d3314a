import type { RefusedConfig } from "./push.ts";

/** A FunConfig that a gateway did not take from a node. Values of arguments are not kept. */
export interface FailedConfig extends RefusedConfig {
  /** When, milliseconds since 1970. */
  readonly at: number;
  /** The service that it was sent for. */
  readonly service: string;
  /** Who sent it; of a pulled one who answered. */
  readonly node: string;
  /** "shared": another gateway had taken it. */
  readonly via: "push" | "pull" | "shared";
}

/** How many FunConfigs were refused. */
export interface FailedConfigsSummary {
  /** Those kept now. */
  readonly count: number;
  /** All since the start or the last `clear`, forgotten ones included. */
  readonly total: number;
  /** Those kept now, by service. */
  readonly services: Readonly<Record<string, number>>;
  /** When the last one was refused, milliseconds since 1970; null without any. */
  readonly lastAt: number | null;
}

/** The last FunConfigs of nodes that were refused, for whoever looks for a function that is not there. */
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

  /** The newest last; all, or those of one service. */
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

// Where a FunConfig holds arguments: their values may be secrets, and end a fault that says what came.
const holdsValues = /^(?:mfa|permissionCallback|beforeExecute|afterExecute|nodes|argTypes)\b/;

function withoutValue(fault: string): string {
  return holdsValues.test(fault) ? fault.replace(/, got .*$/s, "") : fault;
}
