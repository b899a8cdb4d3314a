import type { LaterResponses } from "../../../src/call/request/caller.ts";
import type { Response } from "../../../src/call/request/response.ts";

/** A channel of a client that a test looks into: its socket is ready until the test says otherwise. */
export class FakeChannel implements LaterResponses {
  readonly responses: Response[] = [];
  isReady = true;
  /** How many Responses it was told that are sent again. */
  repeated = 0;
  #waiting: (() => void)[] = [];

  push(response: string): void {
    this.responses.push(JSON.parse(response));
  }

  whenReady(run: () => void): void {
    this.#waiting.push(run);
    if (this.isReady) this.drain();
  }

  onRepeated(responses: number): void {
    this.repeated += responses;
  }

  drain(): void {
    this.isReady = true;
    for (const run of this.#waiting.splice(0)) run();
  }

  /** The numbers of what came. */
  get seqs(): (number | undefined)[] {
    return this.responses.map(({ seq }) => seq);
  }
}
