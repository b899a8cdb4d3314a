import { askFailure } from "./ask-failure.ts";
import { encodeForeign } from "./frame-codec.ts";
import { maxAsks, toNode, toNodeLimits } from "./node-protocol.ts";
import type { Outbox } from "./outbox.ts";

/** What a gateway answers to one node. */
export class AskAnswers {
  readonly #outbox: Outbox;
  readonly #answer: (name: string, body: unknown) => Promise<unknown>;
  #pending = 0;

  constructor(outbox: Outbox, answer: (name: string, body: unknown) => Promise<unknown>) {
    this.#outbox = outbox;
    this.#answer = answer;
  }

  /** The node has asked. It is told the answer, or why there is none. @returns false when it asks too much at a time */
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
