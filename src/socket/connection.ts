import { toError } from "../core/errors.ts";
import { closeCodes, events, socketTopic } from "../protocol/channel-events.ts";
import type { Message } from "../protocol/message.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { ChannelSocket } from "./channels/channel.ts";
import type { ConnectionIdentity, JoinedChannel } from "./channels/joined-channel.ts";
import type { SocketContext } from "./channels/socket-context.ts";
import { type ConnectionOwner, type HeldMessages, Topics } from "./channels/topics.ts";
import { frameCosts } from "./inbound/frame-limit.ts";
import type { InboundListener, ReceivedMessage } from "./inbound/inbound.ts";
import type { MemoryHolder } from "./inbound/socket-memory.ts";
import type { OpenSocket } from "./outbound/open-socket.ts";
import { Outbound, type OutboundListener } from "./outbound/outbound.ts";

const shedEvent = telemetryEvent("connection.shed");
const throttleEvent = telemetryEvent("connection.throttle");

/** How this side closed a socket. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

// The pause between two checks of a socket to be closed, in which the event loop reads pending input.
const momentMs = 10;
// A client that still sends after this time is closed nevertheless.
const lateMs = 2_000;

/**
 * One client's socket: reads its messages and passes them to its topics. All of this runs in the turn in which a frame
 * came; only the start and end of channels go through actors.
 */
export class Connection implements MemoryHolder, OutboundListener, HeldMessages, InboundListener {
  readonly socket: ChannelSocket;
  readonly topics: Topics;
  readonly #identity: ConnectionIdentity;
  readonly #outbound: Outbound;
  readonly #context: SocketContext;
  readonly #transport: OpenSocket;
  #closing: Closing | undefined;
  /** Called once when it closes, or is gone. */
  #onClosing: (() => void) | undefined;
  #owner: ConnectionOwner | undefined;
  /** The timer of the moment that a draining connection waits; its end leaves none behind. */
  #moment: unknown;
  /** See {@link MemoryHolder}. */
  heldBytes = 0;
  #isReleased = false;

  constructor(context: SocketContext, transport: OpenSocket, identity: ConnectionIdentity) {
    this.socket = identity.socket;
    this.#identity = identity;
    this.#context = context;
    this.#transport = transport;
    this.#outbound = new Outbound(transport, context.options.maxBufferedBytes, this);
    this.topics = new Topics(context, identity, this.#outbound, this);
  }

  /** Unique among the connections of this gateway. */
  get id(): string {
    return this.socket.id;
  }

  /** Its joined channels, in the order in which they were joined. */
  get channels(): readonly JoinedChannel[] {
    return this.topics.channels;
  }

  /** How this side began to close, once it did. */
  get closing(): Closing | undefined {
    return this.#closing;
  }

  get bytesReceived(): number {
    return this.#transport.bytesReceived;
  }

  /** When the current unfinished message began; null if there is none. */
  get partSince(): number | null {
    return this.#transport.partSince;
  }

  /** Sets the actor of this connection, before the first frame is read. */
  attach(owner: ConnectionOwner): void {
    this.topics.attach(owner);
    this.#owner = owner;
  }

  /** Handles a frame as it came. Never throws: an invalid one closes this socket and no other. */
  receive(data: Buffer, isBinary: boolean): void {
    if (this.#closing !== undefined) return;
    let message: Message;
    try {
      message = this.#identity.serializer.decode(data, isBinary, this.topics);
    } catch (error) {
      this.close(closeCodes.internalError, toError(error).message);
      return;
    }
    // Many small values cost the parser and the garbage collector more than their bytes show.
    if (message.weight > data.length) this.#identity.frames.use(message.weight / frameCosts.weightPerPoint);
    try {
      if (message.topic === socketTopic && message.event === events.heartbeat)
        this.topics.reply(null, message, "ok", "{}");
      else this.topics.dispatch(message, data, isBinary);
    } catch (error) {
      this.#owner?.crash(toError(error));
    }
  }

  /**
   * Notifies every channel that the gateway drains, and allows no more joins. Calls continue.
   * @returns a promise that resolves when the connection closes, or is gone
   */
  drain(): Promise<void> {
    if (this.#closing !== undefined) return Promise.resolve();
    const closing = new Promise<void>((resolve) => {
      this.#onClosing = resolve;
    });
    try {
      this.topics.drain();
    } catch (error) {
      this.#owner?.crash(toError(error));
    }
    return closing;
  }

  /**
   * Closes it when none of its calls runs any more, at once if none does, and everything received has been answered.
   * For a draining connection, which begins no more.
   */
  closeWhenIdle(): void {
    this.topics
      .idle()
      .then(() => this.#allHandled())
      .then(
        () => this.close(closeCodes.serviceRestart, "the gateway stops"),
        (error) => this.#owner?.crash(toError(error)),
      );
  }

  /**
   * Resolves when the client has sent nothing for a moment, and everything sent before is handled; or when it takes too
   * long.
   */
  async #allHandled(): Promise<void> {
    const { clock } = this.#context;
    const startedAt = clock.now();
    let received: number;
    do {
      if (this.#closing !== undefined) return;
      received = this.#transport.bytesReceived;
      await new Promise<void>((resolve) => {
        this.#moment = clock.setTimeout(resolve, momentMs);
      });
      if (clock.now() - startedAt >= lateMs) return;
    } while (this.#transport.isBusy || this.#transport.bytesReceived > received);
  }

  /** Handles messages again that waited for a join. */
  onReleased(messages: readonly ReceivedMessage[]): void {
    this.#transport.takeBack(messages);
  }

  /** The connection holds `bytes` more, or fewer, in memory. */
  onHeld(bytes: number): void {
    // A shed connection already counts as free.
    if (!this.#isReleased) this.#context.memory.change(this, bytes);
  }

  /** The client sends more than its limit allows; it will be read from again later. */
  onThrottled(pauseMs: number): void {
    // Now, because a paused socket does not notice that its client has gone.
    this.#keepBudget();
    if (!throttleEvent.active) return;
    throttleEvent.emit({ pause_ms: pauseMs }, { gateway: this.#context.gateway, connection: this.id });
  }

  /** The client has been over its limit for too long. */
  onFlood(): void {
    this.close(closeCodes.policyViolation, "too many messages");
  }

  onFault(error: Error): void {
    this.#owner?.crash(error);
  }

  /** More unread data waits for the client than allowed. */
  onOverflow(): void {
    this.close(closeCodes.tryAgainLater, "the client does not read");
  }

  shed(heldBytes: number): void {
    this.#isReleased = true;
    shedEvent.emit({ held_bytes: heldBytes }, { gateway: this.#context.gateway, connection: this.id });
    const reason = "too much data waits for all clients together";
    this.#end({ code: closeCodes.tryAgainLater, reason });
    this.#transport.abandon(closeCodes.tryAgainLater, reason);
  }

  /** Ends every channel, sends pending messages, and starts the closing handshake. */
  close(code: number, reason: string): void {
    if (this.#closing !== undefined) return;
    this.#end({ code, reason });
    this.#outbound.flush();
    this.#transport.close(code, reason);
  }

  /** The socket is gone, for any reason. */
  closed(): void {
    this.#end({ code: closeCodes.abnormal, reason: "" });
    this.#isReleased = true;
    this.#context.memory.release(this);
    this.#keepBudget();
    this.#owner?.closed();
  }

  #keepBudget(): void {
    const { share, frames } = this.#identity;
    this.#context.spentBudgets.keep(share.identity, frames, this.#context.clock.now());
  }

  #end(closing: Closing): void {
    this.#closing ??= closing;
    this.#context.clock.clearTimeout(this.#moment);
    this.#onClosing?.();
    this.topics.endAll();
  }
}
