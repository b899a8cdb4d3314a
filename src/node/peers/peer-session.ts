import { randomBytes } from "node:crypto";
import type { Clock } from "../../core/time/clock.ts";
import type { Pipe, PipeReceiver } from "../wire/pipe.ts";
import type { PeerSigner } from "./peer-signer.ts";
import type { PeerEnd, PeerPipe, PeerReceiver } from "./peers.ts";

/** The parts of a {@link PeerSession}. */
export interface PeerSessionOptions {
  readonly signer: PeerSigner;
  readonly clock: Clock;
  /** What both ends call this pipe, and no other: part of it is random, and new from the end that opened it. */
  readonly name: string;
  /** What the end of the pipe says about the other gateway. */
  other(reason: string): PeerEnd["other"];
  ended?(): void;
}

const beatMs = 1_000;
const silentMs = 5_000;

// After a pause of this process itself, the other end has its time again.
const heldMs = 3_000;

/**
 * One end of a pipe between gateways. Every message is signed, and its signature covers the pipe's name, its own number,
 * and a random challenge of the end that accepted the pipe: so nobody else can say anything here, and what was said in
 * one pipe cannot be said again, here or in another.
 */
export class PeerSession implements PipeReceiver, PeerPipe {
  readonly #options: PeerSessionOptions;
  readonly #isDialer: boolean;
  #pipe: Pipe | null = null;
  #receiver: PeerReceiver | null = null;
  /** The challenge; null until it came. */
  #challenge: string | null = null;
  #sent = 0;
  #received = 0;
  /** Whether the other end has shown that it knows the secret. */
  isUp = false;
  /** What was sent before the pipe was open. */
  #waiting: string[] = [];
  #heardAt: number;
  #beatAt: number;
  #timer: unknown;
  #isClosed = false;

  private constructor(options: PeerSessionOptions, isDialer: boolean) {
    this.#options = options;
    this.#isDialer = isDialer;
    this.#heardAt = options.clock.now();
    this.#beatAt = this.#heardAt;
    this.#timer = options.clock.setTimeout(() => this.#beat(), beatMs);
  }

  /** The end that opens a pipe; {@link opened} follows. */
  static dial(options: PeerSessionOptions, receiver: PeerReceiver): PeerSession {
    const session = new PeerSession(options, true);
    session.#receiver = receiver;
    return session;
  }

  /** The end to which a pipe was opened. It proves itself first. */
  static accept(options: PeerSessionOptions, pipe: Pipe, accepted: (pipe: PeerPipe) => PeerReceiver): PeerSession {
    const session = new PeerSession(options, false);
    session.#pipe = pipe;
    session.#receiver = accepted(session);
    session.#challenge = randomBytes(16).toString("base64url");
    session.send(session.#challenge);
    return session;
  }

  /** The pipe has opened, or will: it may already end. */
  over(pipe: Pipe): void {
    this.#pipe = pipe;
  }

  send(text: string): void {
    if (this.#isClosed) return;
    if (this.#isDialer && this.#challenge === null) {
      this.#waiting.push(text);
      return;
    }
    this.#pipe?.send(this.#options.signer.sign(this.#contextOf(this.#isDialer, this.#sent++), text));
  }

  close(reason: string): void {
    this.#stop();
    this.#pipe?.close(reason);
  }

  received(message: Uint8Array): void {
    if (this.#isClosed) return;
    const { signer, clock } = this.#options;
    const text = signer.read(this.#contextOf(!this.#isDialer, this.#received++), message);
    if (text === null) throw new Error("a message came that no gateway has signed for this pipe");
    this.#heardAt = clock.now();
    this.isUp = true;
    if (this.#isDialer && this.#challenge === null) {
      this.#challenge = text;
      this.#receiver?.opened?.();
      for (const waiting of this.#waiting.splice(0)) this.send(waiting);
    } else if (text !== "") {
      this.#receiver?.received(text);
    }
  }

  closed(reason: string): void {
    if (this.#isClosed) return;
    this.#stop();
    this.#receiver?.closed({ reason, other: this.#options.other(reason) });
  }

  #stop(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#options.clock.clearTimeout(this.#timer);
    this.#options.ended?.();
  }

  /** The challenge's own message cannot cover it. */
  #contextOf(isDialers: boolean, number: number): string {
    const challenge = isDialers ? this.#challenge : "";
    return `${this.#options.name}\n${isDialers ? "dialer" : "acceptor"}\n${challenge}\n${number}`;
  }

  #beat(): void {
    const now = this.#options.clock.now();
    if (now - this.#beatAt > heldMs) this.#heardAt = now;
    this.#beatAt = now;
    if (now - this.#heardAt >= silentMs) {
      const reason = "the other gateway is silent";
      this.#pipe?.close(reason);
      this.closed(reason);
      return;
    }
    this.#timer = this.#options.clock.setTimeout(() => this.#beat(), beatMs);
    // An empty text shows that this end lives; and the server answers whether the other still listens.
    this.send("");
  }
}
