import { encodeForeign } from "../wire/frame-codec.ts";
import { maxAsks, toNode, toNodeLimits } from "../wire/node-protocol.ts";
import type { Outbox } from "../wire/outbox.ts";
import { askFailure } from "./ask-failure.ts";

/** A gateway's answers to one node. */
export class AskAnswers {
  readonly #outbox: Outbox;
  readonly #answer: (name: string, body: unknown) => Promise<unknown>;
  #pending = 0;

  constructor(outbox: Outbox, answer: (name: string, body: unknown) => Promise<unknown>) {
    this.#outbox = outbox;
    this.#answer = answer;
  }

  /**
   * Handles an ask of the node, which then gets the answer or the reason why there is none.
   * @returns false if it has too many open asks
   */
  asked(ask: number, name: string, body: unknown): boolean {
    if (this.#pending === maxAsks) return false;
    void this.#find(ask, name, body);
    return true;
  }

  reply(ask: number, succeeded: boolean, body: unknown): void {
    let entry: Uint8Array;
    try {
      entry = encodeForeign([toNode.reply, ask, succeeded, body], toNodeLimits);
    } catch (thrown) {
      entry = encodeForeign([toNode.reply, ask, false, askFailure(thrown)], toNodeLimits);
    }
    this.#outbox.put(entry);
  }

  async #find(ask: number, name: string, body: unknown): Promise<void> {
    this.#pending++;
    try {
      this.reply(ask, true, await this.#answer(name, body));
    } catch (thrown) {
      this.reply(ask, false, askFailure(thrown));
    } finally {
      this.#pending--;
    }
  }
}
