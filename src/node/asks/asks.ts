import { type GenApiError, libraryError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import { encodeForeign } from "../wire/frame-codec.ts";
import { fromNode, fromNodeLimits, maxAsks } from "../wire/node-protocol.ts";
import type { Outbox } from "../wire/outbox.ts";
import { askError } from "./ask-failure.ts";

interface Ask {
  readonly name: string;
  readonly timer: unknown;
  resolve(answer: unknown): void;
  reject(error: GenApiError): void;
}

/** A node's open asks to a gateway. */
export class Asks {
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Ask>();
  #count = 0;

  constructor(outbox: Outbox, clock: Clock, timeoutMs: number) {
    this.#outbox = outbox;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @throws GenApiError (as a rejection) `unavailable`, `timeout`, `invalid_request`, or the error with which the
   * gateway refused
   */
  async ask(name: string, body: unknown): Promise<unknown> {
    if (this.#pending.size >= maxAsks) {
      throw libraryError("unavailable", `The gateway has ${maxAsks} things to answer, as many as it may`);
    }
    const number = this.#count++;
    const entry = encodeForeign([fromNode.ask, number, name, body], fromNodeLimits);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => {
        // It still counts until it is answered, as it does for the gateway, which closes on too many.
        reject(libraryError("timeout", `The gateway did not answer "${name}" within ${this.#timeoutMs} ms`));
      }, this.#timeoutMs);
      this.#pending.set(number, { name, timer, resolve, reject });
      // Last: the pipe may end with it, which fails everything that is pending.
      this.#outbox.put(entry);
    });
  }

  /** The gateway's answer; has no effect for an ask that was given up. */
  answered(number: number, succeeded: boolean, body: unknown): void {
    const ask = this.#take(number);
    if (succeeded) ask?.resolve(body);
    else ask?.reject(askError(body));
  }

  /** No more answers will come. */
  fail(reason: string): void {
    for (const number of [...this.#pending.keys()]) {
      const ask = this.#take(number);
      ask?.reject(libraryError("unavailable", `The gateway was lost before it answered "${ask.name}": ${reason}`));
    }
  }

  #take(number: number): Ask | undefined {
    const ask = this.#pending.get(number);
    this.#pending.delete(number);
    this.#clock.clearTimeout(ask?.timer);
    return ask;
  }
}
