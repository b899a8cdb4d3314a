import type { Msg, PublishOptions, Subscription } from "@nats-io/transport-node";
import { messageOf, toError } from "../../core/errors.ts";
import type { Pipe, PipeReceiver } from "../wire/pipe.ts";
import type { BrokerLink } from "./broker-link.ts";
import { MessageReader, messageOfNumber, numberOf, partNumberOf, partsOf } from "./message-parts.ts";

/** The options and callbacks of a {@link NatsPipe}. */
export interface NatsPipeOptions {
  readonly link: BrokerLink;
  /** The other end, for people. */
  readonly peer: string;
  /** At a gateway: the only node that can publish to this pipe, by the permissions of its subjects. */
  readonly peerName?: string;
  /** The subject that this end receives on, without the last token. */
  readonly inward: string;
  /** The subject that the other end receives on, without the last token. */
  readonly outward: string;
  /** Called once, when the pipe has ended. */
  ended(pipe: NatsPipe): void;
}

/** The largest message, bytes; larger ones close the pipe. */
const maxMessageBytes = 64 * 1024 * 1024;

/** The largest message from an end that has not proven its identity, bytes. */
const maxUnprovenBytes = 64 * 1024;

/** The most bytes that may wait for the connection to NATS; beyond that the pipe closes. */
const maxBacklogBytes = 256 * 1024 * 1024;

const maxReasonBytes = 500;

/**
 * A pipe over two subjects. It lives as long as its one subscription: once that is gone, on either end and for any
 * reason, the server reports to the other end, at its next message, that there is no listener.
 */
export class NatsPipe implements Pipe {
  readonly peer: string;
  readonly peerName?: string;
  readonly isLoopback: boolean;
  readonly #link: BrokerLink;
  readonly #inward: string;
  readonly #messages: string;
  readonly #ended: (pipe: NatsPipe) => void;
  readonly #subscription: Subscription;
  readonly #reader = new MessageReader();
  // The only difference between messages; created once, because the client reads it synchronously.
  readonly #publishOptions: PublishOptions & { reply: string } = { reply: "" };
  #receiver: PipeReceiver | null = null;
  #accepted: (() => void) | null = null;
  /** How many whole messages NATS has accepted. */
  #sent = 0;
  #bytesRead = 0;
  #isClosed = false;
  #reason = "";

  constructor({ link, peer, peerName, inward, outward, ended }: NatsPipeOptions) {
    this.#link = link;
    this.peer = peer;
    if (peerName !== undefined) this.peerName = peerName;
    this.isLoopback = link.isLoopback;
    this.#inward = inward;
    this.#messages = `${outward}.m`;
    this.#ended = ended;
    // One wildcard token: it matches the other end's messages, and the server's report that there is no listener.
    this.#subscription = link.subscribe(`${inward}.*`, (error, message) => this.#heard(error, message));
  }

  get bufferedBytes(): number {
    return this.#link.backlogBytes;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Why it has ended, for people; empty before. */
  get reason(): string {
    return this.#reason;
  }

  /** Whether a receiver considered it proven; read before the receiver is notified of the end. */
  get wasUp(): boolean {
    return this.#receiver?.isUp ?? false;
  }

  /** Sets the receiver; messages are accepted from now on. */
  receiveWith(receiver: PipeReceiver): void {
    this.#receiver = receiver;
    if (this.#isClosed) receiver.closed(this.#reason);
  }

  /** At a gateway: reports to the node that the pipe is open. */
  accept(): void {
    this.#publish(this.#messages, emptyMessage, acceptToken);
  }

  /**
   * At a node: asks a gateway for the pipe. `accepted` is called when it is open; until then nothing else is received.
   */
  request(subject: string, payload: Uint8Array, accepted: () => void): void {
    this.#accepted = accepted;
    this.#publish(subject, payload, openToken);
  }

  send(message: Uint8Array): void {
    if (this.#isClosed) return;
    const { length } = message;
    const { maxPayloadBytes, backlogBytes } = this.#link;
    if (length > maxMessageBytes) {
      this.close(`a message of ${length} bytes was to be sent; ${maxMessageBytes} are allowed`);
    } else if (backlogBytes > maxBacklogBytes) {
      this.close("NATS accepts messages more slowly than they come");
    } else if (length <= maxPayloadBytes) {
      this.#publish(this.#messages, message, numberOf(this.#sent));
    } else {
      this.#sendParts(message, this.#sent, maxPayloadBytes);
    }
    this.#sent += 1;
  }

  close(reason: string): void {
    if (this.#isClosed) return;
    // The number of received messages shows the other end which of its messages certainly did not arrive.
    const notice = Buffer.from(`${this.#reader.count} ${reason}`, "utf8").subarray(0, maxReasonBytes);
    this.#link.publish(this.#messages, notice);
    this.end(reason);
  }

  /**
   * Ends only this end: the other one is gone, or learns it in another way.
   * @param undeliveredFrom the first message that certainly has not arrived. @default the first that NATS did not
   * accept
   */
  end(reason: string, undeliveredFrom = this.#sent): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reason = reason;
    this.#accepted = null;
    this.#subscription.unsubscribe();
    this.#ended(this);
    this.#receiver?.closed(reason, undeliveredFrom);
  }

  #sendParts(message: Uint8Array, number: number, maxPayloadBytes: number): void {
    const { length } = message;
    const parts = partsOf(length, maxPayloadBytes);
    for (let part = 0; part < parts; part += 1) {
      const start = part * maxPayloadBytes;
      this.#publish(
        this.#messages,
        message.subarray(start, Math.min(start + maxPayloadBytes, length)),
        partNumberOf(number, part, parts),
      );
    }
  }

  #publish(subject: string, payload: Uint8Array, number: string): void {
    if (this.#isClosed) return;
    this.#publishOptions.reply = `${this.#inward}.${number}`;
    const problem = this.#link.publish(subject, payload, this.#publishOptions);
    if (problem !== null) this.end(problem);
  }

  #heard(error: Error | null, message: Msg): void {
    if (this.#isClosed) return;
    if (error !== null) {
      this.end(`NATS refused the subscription: ${error.message}`);
      return;
    }
    const reply = message.reply ?? "";
    const number = lastToken(reply);
    // Only messages carry a reply subject; the server's report and the other end's farewell do not.
    if (reply === "") this.#heardEnd(message);
    else if (number === acceptToken) this.#heardAccept();
    else if (this.#receiver === null) this.close("a message came before the pipe was open");
    else this.#heardMessage(this.#receiver, number, message.data);
  }

  #heardMessage(receiver: PipeReceiver, number: string, data: Uint8Array): void {
    this.#bytesRead += data.length;
    const whole = this.#reader.next(number, data, receiver.isUp ? maxMessageBytes : maxUnprovenBytes);
    if (whole === null) return;
    if (typeof whole === "string") {
      this.close(whole);
      return;
    }
    try {
      receiver.received(whole);
    } catch (thrown) {
      this.close(messageOf(toError(thrown)));
    }
  }

  #heardAccept(): void {
    const accepted = this.#accepted;
    this.#accepted = null;
    accepted?.();
  }

  #heardEnd(message: Msg): void {
    if (message.headers?.code === 503) {
      this.end(noListener, messageOfNumber(lastToken(message.subject)) ?? 0);
      return;
    }
    const [count = "", ...words] = message.string().split(" ");
    const received = /^\d{1,15}$/.test(count) ? Number(count) : this.#sent;
    this.end(words.join(" ") || "the other end closed the pipe", Math.min(received, this.#sent));
  }
}

/** The reason of an end that the server reported: nobody listens there. */
export const noListener = "the other end has no listener";

const emptyMessage = new Uint8Array(0);
const acceptToken = "accept";
const openToken = "open";

const lastToken = (subject: string): string => subject.slice(subject.lastIndexOf(".") + 1);
