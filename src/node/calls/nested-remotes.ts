import type { CallCarrier, RunningNested } from "../../execution/call-carrier.ts";
import { fromNode } from "../wire/node-protocol.ts";

/** Sends a node a Response to a call that a function there made. */
type Respond = (number: number, response: string, isLast: boolean) => void;

/** The calls that one function on a node makes of others, from the gateway's side. */
export class NestedRemotes {
  readonly #carrier: Partial<CallCarrier>;
  readonly #respond: Respond;
  readonly #running = new Map<number, RunningNested>();

  constructor(carrier: Partial<CallCarrier>, respond: Respond) {
    this.#carrier = carrier;
    this.#respond = respond;
  }

  /**
   * Handles a message about such a call.
   * @returns false if it cannot be read
   */
  received(operation: unknown, number: unknown, rest: readonly unknown[]): boolean {
    if (!isCount(number)) return false;
    switch (operation) {
      case fromNode.nested:
        return this.#start(number, rest);
      case fromNode.nestedCancel:
        this.#running.get(number)?.cancel();
        return true;
      default: {
        const [chunks] = rest;
        if (!isCount(chunks)) return false;
        this.#running.get(number)?.grant(chunks);
        return true;
      }
    }
  }

  #start(number: number, rest: readonly unknown[]): boolean {
    const [service, requestType, args, version, timeoutMs, isStream] = rest;
    if (typeof service !== "string" || typeof requestType !== "string" || typeof args !== "string") return false;
    if (version !== null && typeof version !== "string") return false;
    if (timeoutMs !== null && typeof timeoutMs !== "number") return false;
    if (typeof isStream !== "boolean" || this.#carrier.carry === undefined || this.#running.has(number)) return false;
    let isOver = false;
    const onResponse = (response: string, isLast: boolean): void => {
      isOver ||= isLast;
      if (isLast) this.#running.delete(number);
      this.#respond(number, response, isLast);
    };
    const request = { service, requestType, args, version, timeoutMs, isStream };
    const running = this.#carrier.carry(request, { onResponse });
    if (!isOver) this.#running.set(number, running);
    return true;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
