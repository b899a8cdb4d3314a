import type { WorkerTarget } from "../../execution/worker-call.ts";
import { encodeForeign } from "../wire/frame-codec.ts";
import { maxDefinitions, toNode, toNodeLimits } from "../wire/node-protocol.ts";
import type { Outbox } from "../wire/outbox.ts";

/** What calls of one function have in common, and its number on the wire. */
interface Definition {
  readonly number: number;
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
}

/** The functions that a node knows by number. */
export class Definitions {
  readonly #outbox: Outbox;
  // Most functions belong to one request type.
  readonly #modules = new Map<string, Map<string, Definition[]>>();
  #count = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** The number of a call's function; the first time, the node gets the definition. */
  numberOf(target: WorkerTarget): number {
    const known = this.#modules.get(target.module)?.get(target.function);
    if (known !== undefined) {
      for (const definition of known) if (isOf(definition, target)) return definition.number;
    }
    return this.#define(target);
  }

  #define({ module, function: name, service, requestType, version }: WorkerTarget): number {
    if (this.#count === maxDefinitions) {
      this.#modules.clear();
      this.#count = 0;
    }
    const number = this.#count++;
    const functions = this.#modules.get(module) ?? new Map<string, Definition[]>();
    this.#modules.set(module, functions);
    functions.set(name, [...(functions.get(name) ?? []), { number, service, requestType, version }]);
    this.#outbox.put(encodeForeign([toNode.define, number, module, name, service, requestType, version], toNodeLimits));
    return number;
  }
}

function isOf(definition: Definition, { service, requestType, version }: WorkerTarget): boolean {
  return definition.requestType === requestType && definition.service === service && definition.version === version;
}
