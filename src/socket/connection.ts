import { toError } from "../core/errors.ts";
import { closeCodes, events, socketTopic } from "../protocol/events.ts";
import type { Message } from "../protocol/message.ts";
import type { ChannelSocket } from "./channel.ts";
import type { ConnectionIdentity } from "./joined-channel.ts";
import { Outbound } from "./outbound.ts";
import type { SocketContext } from "./socket-context.ts";
import { type ConnectionOwner, Topics } from "./topics.ts";
import type { Transport } from "./transport.ts";

/** How this side closed a socket. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/**
 * One client's socket: reads its messages and brings them to its topics. All of it runs in the turn in which a frame
 * came; only the life and death of channels go through actors.
 */
export class Connection {
  readonly socket: ChannelSocket;
  readonly topics: Topics;
  readonly #identity: ConnectionIdentity;
  readonly #outbound: Outbound;
  readonly #context: SocketContext;
  readonly #transport: Transport;
  #closing: Closing | undefined;
  #owner: ConnectionOwner | undefined;

  constructor(context: SocketContext, transport: Transport, identity: ConnectionIdentity) {
    this.socket = identity.socket;
    this.#identity = identity;
    this.#context = context;
    this.#transport = transport;
    this.#outbound = new Outbound(transport, context.options.maxBufferedBytes, () =>
      this.close(closeCodes.tryAgainLater, "the client does not read"),
    );
    this.topics = new Topics(context, identity, this.#outbound);
  }

  /** Unique among the connections of this gateway. */
  get id(): string {
    return this.socket.id;
  }

  /** How this side began to close, once it did. */
  get closing(): Closing | undefined {
    return this.#closing;
  }

  get bytesReceived(): number {
    return this.#transport.bytesReceived;
  }

  /** Names the actor that stands for this connection, before the first frame is read. */
  attach(owner: ConnectionOwner): void {
    this.topics.attach(owner);
    this.#owner = owner;
  }

  /** Takes a frame as it came. Never throws: one that is no message closes this socket and no other. */
  receive(data: Buffer, isBinary: boolean): void {
    if (this.#closing !== undefined) return;
    let message: Message;
    try {
      message = this.#identity.serializer.decode(data, isBinary, this.#context.options.maxPayloadBytes);
    } catch (error) {
      this.close(closeCodes.internalError, toError(error).message);
      return;
    }
    try {
      if (message.topic === socketTopic && message.event === events.heartbeat)
        this.topics.reply(null, message, "ok", "{}");
      else this.topics.dispatch(message);
    } catch (error) {
      this.#owner?.crash(toError(error));
    }
  }

  /** Ends every channel, sends what is still to be sent, and starts the closing handshake. */
  close(code: number, reason: string): void {
    if (this.#closing !== undefined) return;
    this.#closing = { code, reason };
    this.topics.endAll();
    this.#outbound.flush();
    this.#transport.close(code, reason);
  }

  /** That the socket is gone, however it went. */
  closed(): void {
    this.#closing ??= { code: closeCodes.abnormal, reason: "" };
    this.topics.endAll();
    this.#owner?.closed();
  }
}
