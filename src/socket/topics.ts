import type { RunningCalls } from "../call/running-calls.ts";
import { libraryError, toError } from "../core/errors.ts";
import { replyPayload } from "../protocol/encode.ts";
import { events, type Status } from "../protocol/events.ts";
import type { Message, Ref } from "../protocol/message.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { askToJoin, isPromise, type JoinDecision } from "./ask-to-join.ts";
import { type ConnectionIdentity, JoinedChannel, RequestReply } from "./joined-channel.ts";
import type { Outbound } from "./outbound.ts";
import { heldSize, PendingJoin } from "./pending-join.ts";
import type { SocketContext } from "./socket-context.ts";

/** The actor of a connection, the parent of its channels' actors. */
export interface ConnectionOwner {
  startChannel(channel: JoinedChannel): void;
  /** Lets a channel's actor crash with `error`; {@link Topics.channelDown} follows. */
  crashChannel(channel: JoinedChannel, error: Error): void;
  /** Ends a channel's actor in good order. */
  stopChannel(channel: JoinedChannel): void;
  /** Lets the connection itself crash. */
  crash(error: Error): void;
  /** Ends the connection, whose socket is gone. */
  closed(): void;
}

const joinEvent = telemetryEvent("channel.join");
const leaveEvent = telemetryEvent("channel.leave");
const crashEvent = telemetryEvent("channel.crash");

const unmatchedTopic = '{"reason":"unmatched topic"}';

/** The topics of one connection and what becomes of its messages: the rules of Phoenix.Socket. */
export class Topics {
  readonly #context: SocketContext;
  readonly #identity: ConnectionIdentity;
  readonly #outbound: Outbound;
  readonly #topics = new Map<string, JoinedChannel | PendingJoin>();
  #owner: ConnectionOwner | undefined;
  #joins = 0;
  /** What all joins under way hold back together. */
  #heldBytes = 0;
  #isEnded = false;

  constructor(context: SocketContext, identity: ConnectionIdentity, outbound: Outbound) {
    this.#context = context;
    this.#identity = identity;
    this.#outbound = outbound;
  }

  /** The topics that are joined or being joined. */
  get names(): string[] {
    return [...this.#topics.keys()];
  }

  attach(owner: ConnectionOwner): void {
    this.#owner = owner;
  }

  dispatch(message: Message): void {
    if (this.#isEnded) return;
    const place = this.#topics.get(message.topic);
    if (place instanceof PendingJoin) this.#hold(place, message);
    else if (message.event === events.join) this.#join(message, place);
    else if (place !== undefined) this.#toChannel(place, message);
    else if (message.event === events.leave) this.reply(message.joinRef, message, "ok", "{}");
    else this.reply(null, message, "error", unmatchedTopic);
  }

  /** Replies to `message`; `response` is JSON. */
  reply(joinRef: Ref, message: Message, status: Status, response: string): void {
    this.#send(joinRef, message.ref, message.topic, events.reply, replyPayload(status, response));
  }

  /** That the actor of `channel` ended without having been told to. */
  channelDown(channel: JoinedChannel, error: Error): void {
    if (!this.#remove(channel)) return;
    this.#send(channel.joinRef, channel.joinRef, channel.topic, events.error, '{"reason":"channel_crash"}');
    this.#emitCrash(channel.topic, error);
  }

  /** Ends every channel without a word to the client: its socket is closing, or gone. */
  endAll(): void {
    this.#isEnded = true;
    for (const place of [...this.#topics.values()]) {
      if (place instanceof JoinedChannel) this.#leave(place);
      else this.#context.clock.clearTimeout(place.timer);
    }
    // What is left was being joined; whatever comes of that finds its place taken away.
    this.#topics.clear();
  }

  #toChannel(channel: JoinedChannel, message: Message): void {
    // Carrying another join_ref, it was meant for an earlier join of this topic.
    if (message.joinRef !== null && message.joinRef !== channel.expectedJoinRef) return;
    try {
      this.#handle(channel, message);
    } catch (error) {
      this.#owner?.crashChannel(channel, toError(error));
    }
  }

  #handle(channel: JoinedChannel, message: Message): void {
    switch (message.event) {
      case channel.event: {
        const replyTo = new RequestReply(channel, message.ref);
        this.#context.requests.handle(message.payload, message.bytes, channel.caller, replyTo);
        return;
      }
      case events.leave:
        this.reply(channel.joinRef, message, "ok", "{}");
        this.#leave(channel);
        this.#sendClose(channel.joinRef, channel.topic);
        return;
      case events.cancel:
        this.#end(channel, message, (calls, id) => calls.cancel(id));
        return;
      case events.stopStream:
        this.#end(channel, message, (calls, id) => calls.stopStream(id));
        return;
      default:
        throw libraryError(
          "invalid_request",
          `The channel "${channel.topic}" has no event ${JSON.stringify(message.event)}, only "${channel.event}"`,
        );
    }
  }

  /** Ends a running request. The reply goes out before what the end brings. */
  #end(
    channel: JoinedChannel,
    message: Message,
    end: (calls: RunningCalls, requestId: string) => (() => void) | null,
  ): void {
    const id = (message.payload as { request_id?: unknown } | null | undefined)?.request_id;
    const found = typeof id === "string" ? end(channel.caller.calls, id) : null;
    this.reply(channel.joinRef, message, found ? "ok" : "error", found ? "{}" : '{"reason":"not_found"}');
    found?.();
  }

  #join(message: Message, replaced: JoinedChannel | undefined): void {
    const { channels, options, clock } = this.#context;
    const definition = channels.find((channel) => channel.matches(message.topic));
    if (definition === undefined) {
      this.reply(null, message, "error", unmatchedTopic);
      return;
    }
    if (replaced !== undefined) this.#leave(replaced);
    const join = new PendingJoin(message, definition, replaced?.joinRef, clock.now());
    const isFull = this.#topics.size >= options.maxChannels;
    this.#topics.set(message.topic, join);
    if (isFull) {
      this.#refuse(join, '{"reason":"too many channels joined"}');
      return;
    }
    if (message.payload === undefined) {
      this.#refuse(join, '{"reason":"payload too large"}');
      return;
    }
    const { topic, payload } = message;
    const request = { topic, payload, socket: this.#identity.socket };
    const decision = askToJoin(definition, request, { name: this.#context.gateway, clock });
    if (isPromise(decision)) this.#await(join, decision);
    else this.#settle(join, decision);
  }

  #await(join: PendingJoin, decision: PromiseLike<JoinDecision>): void {
    join.timer = this.#context.clock.setTimeout(
      () => this.#refuse(join, '{"reason":"join timed out"}'),
      this.#context.options.joinTimeoutMs,
    );
    decision
      .then((decided) => this.#settle(join, decided))
      .then(undefined, (error) => this.#owner?.crash(toError(error)));
  }

  #refuse(join: PendingJoin, response: string): void {
    this.#settle(join, { status: "error", response });
  }

  /** Answers a join, unless it was answered, or its socket closed, before; then hands out what waited for it. */
  #settle(join: PendingJoin, { status, response, crash }: JoinDecision): void {
    const { message, replacedJoinRef } = join;
    const { topic } = message;
    if (crash !== undefined) this.#emitCrash(topic, crash);
    if (this.#topics.get(topic) !== join) return;
    this.#context.clock.clearTimeout(join.timer);
    this.#topics.delete(topic);
    this.#heldBytes -= join.heldBytes;
    this.reply(message.joinRef, message, status, response);
    // The channel that this join replaced ended before, but says so only now: in this order Phoenix sends them.
    if (replacedJoinRef !== undefined) this.#sendClose(replacedJoinRef, topic);
    if (status === "ok") {
      this.#joins += 1;
      const channel = new JoinedChannel(this.#joins, message, join.definition, this.#identity, this.#outbound);
      this.#topics.set(topic, channel);
      this.#owner?.startChannel(channel);
    }
    if (joinEvent.active) {
      const duration_us = Math.round((this.#context.clock.now() - join.startedAt) * 1_000);
      joinEvent.emit({ duration_us }, { ...this.#names(topic), accepted: status === "ok" });
    }
    for (const held of join.held) this.dispatch(held);
  }

  #hold(join: PendingJoin, message: Message): void {
    const size = heldSize(message);
    if (this.#heldBytes + size > this.#context.options.maxFrameBytes) {
      this.reply(message.joinRef, message, "error", '{"reason":"too many messages before the join was answered"}');
      return;
    }
    this.#heldBytes += size;
    join.hold(message);
  }

  /** Ends a channel in good order. */
  #leave(channel: JoinedChannel): void {
    if (!this.#remove(channel)) return;
    this.#owner?.stopChannel(channel);
    leaveEvent.emit({ system_time: this.#context.clock.systemTime() }, this.#names(channel.topic));
  }

  /** @returns false when it had been removed before */
  #remove(channel: JoinedChannel): boolean {
    if (this.#topics.get(channel.topic) !== channel) return false;
    this.#topics.delete(channel.topic);
    channel.end();
    return true;
  }

  #sendClose(joinRef: Ref, topic: string): void {
    this.#send(joinRef, joinRef, topic, events.close, "{}");
  }

  #send(joinRef: Ref, ref: Ref, topic: string, event: string, payload: string): void {
    this.#outbound.send(this.#identity.serializer.encode(joinRef, ref, topic, event, payload));
  }

  #emitCrash(topic: string, error: Error): void {
    crashEvent.emit({ system_time: this.#context.clock.systemTime() }, { ...this.#names(topic), error });
  }

  #names(topic: string) {
    return { gateway: this.#context.gateway, connection: this.#identity.socket.id, topic };
  }
}
