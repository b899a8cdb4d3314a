import { systemClock } from "../../../src/core/time/clock.ts";
import type { TransportScope } from "../../../src/node/node-transport.ts";
import type { Pipe, PipeReceiver } from "../../../src/node/wire/pipe.ts";

/** How a pipe ended. */
interface Ended {
  readonly reason: string;
  readonly undeliveredFrom: number | undefined;
}

/** One end of a pipe that keeps what it hears. */
export class RecordingEnd implements PipeReceiver {
  isUp = true;
  readonly pipe: Pipe;
  readonly messages: Uint8Array[] = [];
  /** Resolves when the pipe has ended. */
  readonly ended: Promise<Ended>;
  #end: (ended: Ended) => void = () => undefined;
  #waiting: (() => void)[] = [];

  constructor(pipe: Pipe) {
    this.pipe = pipe;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  received(message: Uint8Array): void {
    // Valid only during the call.
    this.messages.push(Uint8Array.from(message));
    for (const check of this.#waiting.splice(0)) check();
  }

  closed(reason: string, undeliveredFrom?: number): void {
    this.#end({ reason, undeliveredFrom });
  }

  /** Resolves when so many messages have come. */
  async count(count: number): Promise<void> {
    while (this.messages.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  texts(): string[] {
    return this.messages.map((message) => Buffer.from(message).toString());
  }
}

/** The scope of one end of a transport: hands out its pipes as they open. */
export class RecordingScope implements TransportScope {
  readonly clock = systemClock;
  readonly random = Math.random;
  readonly hasToken = true;
  readonly name: string;
  readonly failures: unknown[] = [];
  /** Every end there has been. */
  readonly ends: RecordingEnd[] = [];
  readonly #cutOffs: ((reason: string) => void)[] = [];
  readonly #came: RecordingEnd[] = [];
  #waiting: ((end: RecordingEnd) => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  connected(pipe: Pipe): PipeReceiver {
    const end = new RecordingEnd(pipe);
    this.ends.push(end);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#came.push(end);
    else waiting(end);
    return end;
  }

  cutOff(reason: string): void {
    for (const hear of this.#cutOffs.splice(0)) hear(reason);
  }

  /** Resolves, with the reason, when the transport is cut off from now on. */
  nextCutOff(): Promise<string> {
    return new Promise((resolve) => this.#cutOffs.push(resolve));
  }

  fail(error: unknown): void {
    this.failures.push(error);
  }

  /** The next pipe that opens, or has opened and was not asked for yet. */
  next(): Promise<RecordingEnd> {
    const came = this.#came.shift();
    if (came !== undefined) return Promise.resolve(came);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
