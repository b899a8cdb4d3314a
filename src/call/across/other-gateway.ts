import type { Clock } from "../../core/time/clock.ts";
import type { PeerEnd, PeerPipe, PeerReceiver, Peers } from "../../node/peers/peers.ts";

/** Something that is asked of another gateway, and goes on for a while. */
export interface Question {
  /** What it says first: again if the pipe was lost meanwhile. */
  begin(): readonly Message[];
  heard(kind: string, fields: readonly unknown[]): void;
  /** Whether it waits for a gateway that is not there now, and may come back. */
  readonly isPatient: boolean;
  /**
   * The other gateway does not answer any more.
   * @param isGone whether it has stopped, or has not been there for so long that it counts as stopped
   */
  lost(isGone: boolean): void;
}

/** What gateways tell each other about one question: its kind, and what belongs to it. */
export type Message = readonly [kind: string, ...fields: unknown[]];

/** The parts of an {@link OtherGateway}. */
export interface OtherGatewayOptions {
  readonly address: string;
  readonly clock: Clock;
  peers(): Peers | undefined;
  /** Nothing is asked of it any more. */
  idle(): void;
}

/** A gateway that is not there for so long counts as stopped, milliseconds. */
const goneMs = 5_000;

const redialMs = 200;
const idleMs = 10_000;

/** Another gateway as this one asks it: over one pipe, which is opened for the first question, and again when it is lost. */
export class OtherGateway implements PeerReceiver {
  readonly #options: OtherGatewayOptions;
  readonly #questions = new Map<number, Question>();
  #count = 0;
  #pipe: PeerPipe | null = null;
  #timer: unknown;
  /** Since when it has not been reached, and whether it certainly was not there all that time. */
  #missedSince: number | null = null;
  #isAbsent = true;

  constructor(options: OtherGatewayOptions) {
    this.#options = options;
  }

  /** @returns the number of the question, for {@link tell} and {@link end} */
  ask(question: Question): number {
    const id = ++this.#count;
    this.#questions.set(id, question);
    if (this.#pipe !== null) {
      this.#options.clock.clearTimeout(this.#timer);
      this.#begin(id, question);
    } else if (this.#missedSince === null) {
      this.#dial();
    }
    // Otherwise it is about to be dialed again.
    return id;
  }

  tell(id: number, ...message: Message): void {
    if (this.#questions.has(id)) this.#send(id, message);
  }

  /** Nobody waits for the answer any more, or it came. */
  end(id: number): void {
    this.#questions.delete(id);
    if (this.#questions.size > 0 || this.#pipe === null) return;
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => this.close(), idleMs);
  }

  opened(): void {
    this.#missedSince = null;
  }

  received(text: string): void {
    const [id, kind, ...fields] = JSON.parse(text) as [number, string, ...unknown[]];
    this.#questions.get(id)?.heard(kind, fields);
  }

  closed({ other }: PeerEnd): void {
    const { clock } = this.#options;
    this.#pipe = null;
    clock.clearTimeout(this.#timer);
    if (this.#missedSince === null) {
      this.#missedSince = clock.now();
      this.#isAbsent = true;
    }
    if (other === "unknown") this.#isAbsent = false;
    const isGone = other === "gone";
    if (other === "absent") this.#loseImpatient();
    if (isGone || clock.now() - this.#missedSince >= goneMs) this.#lose(isGone || this.#isAbsent);
    else if (this.#questions.size === 0) this.close();
    else this.#timer = clock.setTimeout(() => this.#dial(), redialMs);
  }

  /** Nothing more is asked of it. */
  close(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#pipe?.close("nothing is left to ask");
    this.#pipe = null;
    this.#options.idle();
  }

  #loseImpatient(): void {
    for (const [id, question] of [...this.#questions]) {
      if (question.isPatient) continue;
      this.#questions.delete(id);
      question.lost(true);
    }
  }

  #lose(isGone: boolean): void {
    const questions = [...this.#questions.values()];
    this.#questions.clear();
    this.#missedSince = null;
    this.#options.idle();
    for (const question of questions) question.lost(isGone);
  }

  #dial(): void {
    const peers = this.#options.peers();
    if (peers === undefined) {
      this.closed({ reason: "the transport is closed", other: "unknown" });
      return;
    }
    this.#pipe = peers.dial(this.#options.address, this);
    for (const [id, question] of this.#questions) this.#begin(id, question);
  }

  #begin(id: number, question: Question): void {
    for (const message of question.begin()) this.#send(id, message);
  }

  #send(id: number, message: Message): void {
    this.#pipe?.send(JSON.stringify([id, ...message]));
  }
}
