import type { Msg, NatsConnection, PublishOptions, Subscription } from "@nats-io/transport-node";
import { toError } from "../../core/errors.ts";
import { isLoopbackHost } from "../../core/loopback.ts";

/** How a subscription hears. An error means that the server refused it, and that it has ended. */
export type Hear = (error: Error | null, message: Msg) => void;

// So much is let go before it is asked how much has left.
const unseenBytes = 64 * 1024;

/** One connection to NATS, from when it is there until it is lost. */
export class BrokerLink {
  readonly connection: NatsConnection;
  /** The most bytes that the server takes in one message. */
  readonly maxPayloadBytes: number;
  /** Whether everybody who reaches the server is on this machine. */
  readonly isLoopback: boolean;
  readonly #failed: (error: unknown) => void;
  #isEnded = false;
  #unconfirmed = 0;
  #isFlushing = false;

  /** @param failed is told what a subscriber throws */
  constructor(connection: NatsConnection, namesLoopback: boolean, failed: (error: unknown) => void) {
    this.connection = connection;
    this.#failed = failed;
    const { info } = connection;
    if (info === undefined) throw new Error("the connection to NATS has ended");
    this.maxPayloadBytes = info.max_payload;
    // Where the server itself listens further than that, others may come from further away.
    this.isLoopback = namesLoopback && isLoopbackHost(info.host) && info.cluster === undefined;
  }

  /** About how many published bytes the server has not got yet. */
  get backlogBytes(): number {
    return this.#isFlushing ? this.#unconfirmed : 0;
  }

  /** @returns why it could not be published, or null. Never throws. */
  publish(subject: string, payload: Uint8Array, options?: PublishOptions): string | null {
    if (this.#isEnded) return "the connection to NATS was lost";
    try {
      this.connection.publish(subject, payload, options);
    } catch (thrown) {
      return `NATS did not take a message: ${toError(thrown).message}`;
    }
    this.#unconfirmed += payload.length;
    if (this.#unconfirmed >= unseenBytes && !this.#isFlushing) this.#confirm();
    return null;
  }

  subscribe(subject: string, hear: Hear): Subscription {
    // A throw would end the client's reading, and nobody would hear anything any more.
    const callback: Hear = (error, message) => {
      try {
        hear(error, message);
      } catch (thrown) {
        this.#failed(thrown);
      }
    };
    return this.connection.subscribe(subject, { callback });
  }

  /** The connection is lost: nothing is published any more. */
  end(): void {
    this.#isEnded = true;
  }

  #confirm(): void {
    const bytes = this.#unconfirmed;
    this.#isFlushing = true;
    this.connection.flush().then(
      () => {
        this.#isFlushing = false;
        this.#unconfirmed -= bytes;
        if (this.#unconfirmed >= unseenBytes && !this.#isEnded) this.#confirm();
      },
      // The connection is lost, and this link with it.
      () => this.end(),
    );
  }
}
