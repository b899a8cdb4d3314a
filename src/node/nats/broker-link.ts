import type { Msg, NatsConnection, PublishOptions, Subscription } from "@nats-io/transport-node";
import { toError } from "../../core/errors.ts";
import { isLoopbackHost } from "../../core/net/loopback.ts";

/** The callback of a subscription. An error means that the server refused it, and that it has ended. */
export type Hear = (error: Error | null, message: Msg) => void;

// After this many bytes, ask how much has left.
const unseenBytes = 64 * 1024;

/** One connection to NATS, from its start until it is lost. */
export class BrokerLink {
  readonly connection: NatsConnection;
  /** The most bytes that the server accepts in one message. */
  readonly maxPayloadBytes: number;
  /** Whether all clients of the server are on this machine. */
  readonly isLoopback: boolean;
  readonly #failed: (error: unknown) => void;
  #isEnded = false;
  #unconfirmed = 0;
  #isFlushing = false;

  /** @param failed receives errors that a subscriber throws */
  constructor(connection: NatsConnection, namesLoopback: boolean, failed: (error: unknown) => void) {
    this.connection = connection;
    this.#failed = failed;
    const { info } = connection;
    if (info === undefined) throw new Error("the connection to NATS has ended");
    this.maxPayloadBytes = info.max_payload;
    // If the server itself listens more widely, other clients may come from further away.
    this.isLoopback = namesLoopback && isLoopbackHost(info.host) && info.cluster === undefined;
  }

  /** Roughly how many published bytes the server has not received yet. */
  get backlogBytes(): number {
    return this.#isFlushing ? this.#unconfirmed : 0;
  }

  /**
   * Publishes a message; never throws.
   * @returns why it could not be published, or null
   */
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
    // A throw would end the client's reading, and no subscriber would hear anything more.
    const callback: Hear = (error, message) => {
      try {
        hear(error, message);
      } catch (thrown) {
        this.#failed(thrown);
      }
    };
    return this.connection.subscribe(subject, { callback });
  }

  /**
   * Resolves when the server has confirmed receipt of everything published; rejects if the connection is lost first.
   */
  ping(): Promise<void> {
    return this.connection.flush();
  }

  /** The connection is lost: nothing more is published. */
  end(): void {
    this.#isEnded = true;
  }

  #confirm(): void {
    const bytes = this.#unconfirmed;
    this.#isFlushing = true;
    this.ping().then(
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
