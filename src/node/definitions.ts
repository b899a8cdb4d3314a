import type { WorkerTarget } from "../worker/worker-call.ts";
import { encodeEntry } from "./frame-codec.ts";
import { maxDefinitions, toNode } from "./node-protocol.ts";
import type { Outbox } from "./outbox.ts";

/** What calls of one function have in common, and what they are called on the way. */
interface Definition {
  readonly number: number;
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
}

/** The functions that a node was told of. */
export class Definitions {
  readonly #outbox: Outbox;
  // Most functions belong to one request type.
  readonly #modules = new Map<string, Map<string, Definition[]>>();
  #count = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** The number of a call's function; the node is told what it means with the first. */
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
    this.#outbox.put(encodeEntry([toNode.define, number, module, name, service, requestType, version]));
    return number;
  }
}

function isOf(definition: Definition, { service, requestType, version }: WorkerTarget): boolean {
  return definition.requestType === requestType && definition.service === service && definition.version === version;
}
