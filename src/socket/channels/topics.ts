import type { Resumption } from "../../call/request/caller.ts";
import { noClaims } from "../../call/request/claims.ts";
import type { RunningCalls } from "../../call/request/running-calls.ts";
import { libraryError, toError } from "../../core/errors.ts";
import { SmallMap } from "../../core/small-map.ts";
import { events, type ReplyStatus } from "../../protocol/channel-events.ts";
import { replyPayload } from "../../protocol/encode.ts";
import { type Message, type Ref, TooDeep } from "../../protocol/message.ts";
import { alwaysReadBytes, type PayloadLimit } from "../../protocol/payload-limit.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { frameCosts } from "../inbound/frame-limit.ts";
import type { ReceivedMessage } from "../inbound/inbound.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { askToJoin, type JoinDecision } from "./ask-to-join.ts";
import { EventReply } from "./event-reply.ts";
import { type ConnectionIdentity, JoinedChannel, RequestReply } from "./joined-channel.ts";
import { heldSize, PendingJoin } from "./pending-join.ts";
import type { SocketContext } from "./socket-context.ts";

/** The actor of a connection, the parent of its channels' actors. */
export interface ConnectionOwner {
  startChannel(channel: JoinedChannel): void;
  /** Makes a channel's actor crash with `error`; {@link Topics.channelDown} follows. */
  crashChannel(channel: JoinedChannel, error: Error): void;
  /** Ends a channel's actor in good order. */
  stopChannel(channel: JoinedChannel): void;
  /** Makes the connection itself crash. */
  crash(error: Error): void;
  /** Ends the connection, whose socket is gone. */
  closed(): void;
}

const joinEvent = telemetryEvent("channel.join");
const leaveEvent = telemetryEvent("channel.leave");
const crashEvent = telemetryEvent("channel.crash");

const unmatchedTopic = '{"reason":"unmatched topic"}';
const draining = '{"reason":"draining"}';
// A client chooses its refs.
const maxEventIdLength = 256;

/** Receives changes of the messages that wait for joins. */
export interface HeldMessages {
  /** `bytes` more, or fewer, wait. */
  onHeld(bytes: number): void;
  /** The join is decided: these messages come again, before any that came since. */
  onReleased(messages: readonly ReceivedMessage[]): void;
}

/** The topics of one connection and the handling of its messages: the rules of Phoenix.Socket. */
export class Topics implements PayloadLimit {
  readonly #context: SocketContext;
  readonly #identity: ConnectionIdentity;
  readonly #outbound: Outbound;
  readonly #heldMessages: HeldMessages;
  readonly #topics = new SmallMap<string, JoinedChannel | PendingJoin>();
  #owner: ConnectionOwner | undefined;
  #joins = 0;
  /** Bytes held back by all pending joins. */
  #heldBytes = 0;
  /** Bytes of the payloads of pending joins. */
  #joinBytes = 0;
  #isEnded = false;
  #isDraining = false;

  constructor(context: SocketContext, identity: ConnectionIdentity, outbound: Outbound, heldMessages: HeldMessages) {
    this.#context = context;
    this.#identity = identity;
    this.#outbound = outbound;
    this.#heldMessages = heldMessages;
  }

  get maxPayloadBytes(): number {
    return this.#context.options.maxPayloadBytes;
  }

  /** Only requests and joins need large payloads; a large payload of any other event is not even parsed. */
  maxPayloadBytesOf(topic: string, event: string): number {
    const { maxPayloadBytes } = this;
    const small = Math.min(alwaysReadBytes, maxPayloadBytes);
    if (event === events.join) return maxPayloadBytes;
    const place = this.#topics.get(topic);
    if (!(place instanceof JoinedChannel)) return small;
    return event === place.event || place.functionOf(event) !== undefined ? maxPayloadBytes : small;
  }

  /** The joined channels. */
  get channels(): JoinedChannel[] {
    return this.#topics.values().filter((place) => place instanceof JoinedChannel);
  }

  /** The channel of the actor with this id, while it is joined. */
  channelOf(actorId: string): JoinedChannel | undefined {
    const place = this.#topics.get(JoinedChannel.topicOf(actorId));
    return place instanceof JoinedChannel && place.id === actorId ? place : undefined;
  }

  attach(owner: ConnectionOwner): void {
    this.#owner = owner;
  }

  /**
   * @param data the message as it came, in case it has to wait
   * @param isBinary whether it came in a binary frame
   */
  dispatch(message: Message, data: Buffer, isBinary: boolean): void {
    if (this.#isEnded) return;
    const place = this.#topics.get(message.topic);
    if (place instanceof PendingJoin) this.#hold(place, message, data, isBinary);
    else if (message.event === events.join) this.#join(message, place);
    else if (place !== undefined) this.#toChannel(place, message);
    else if (message.event === events.leave) this.reply(message.joinRef, message, "ok", "{}");
    else this.reply(null, message, "error", this.#isDraining ? draining : unmatchedTopic);
  }

  /** Replies to `message`; `response` is JSON. */
  reply(joinRef: Ref, message: Message, status: ReplyStatus, response: string): void {
    this.#send(joinRef, message.ref, message.topic, events.reply, replyPayload(status, response));
  }

  /** Called when a channel's actor ended on its own. */
  channelDown(channel: JoinedChannel, error: Error): void {
    if (!this.#remove(channel)) return;
    this.#send(channel.joinRef, channel.joinRef, channel.topic, events.error, '{"reason":"channel_crash"}');
    this.#emitCrash(channel.topic, error);
  }

  /**
   * Makes clients keep further requests: an official client that gets `phx_error` holds its pushes until it has
   * rejoined, which it can do elsewhere. Requests sent before still arrive and are answered.
   */
  drain(): void {
    this.#isDraining = true;
    for (const place of this.#topics.values()) {
      if (place instanceof PendingJoin) this.#refuse(place, draining);
      else {
        this.#send(place.joinRef, place.joinRef, place.topic, events.error, draining);
        place.drain();
      }
    }
  }

  /** Resolves when no call of its channels runs any more. */
  async idle(): Promise<void> {
    await Promise.all(this.channels.map(({ calls }) => calls.finished()));
  }

  /** Ends every channel without notifying the client: its socket is closing, or gone. */
  endAll(): void {
    this.#isEnded = true;
    for (const place of this.#topics.values()) {
      if (place instanceof JoinedChannel) this.#leave(place);
      else this.#context.clock.clearTimeout(place.timer);
    }
    // The rest are pending joins, whose later decisions will find their place gone.
    this.#topics.clear();
    this.#countHeld(-this.#heldBytes);
    this.#countJoin(-this.#joinBytes);
  }

  #toChannel(channel: JoinedChannel, message: Message): void {
    // Another join_ref means that it was meant for an earlier join of this topic. While draining there is no later one.
    const isStale = message.joinRef !== null && message.joinRef !== channel.expectedJoinRef;
    if (isStale && !this.#isDraining) return;
    try {
      this.#handle(channel, message);
    } catch (error) {
      this.#identity.frames.use(frameCosts.crash);
      this.#owner?.crashChannel(channel, toError(error));
    }
  }

  #handle(channel: JoinedChannel, message: Message): void {
    switch (message.event) {
      case channel.event: {
        const replyTo = new RequestReply(channel, message.ref);
        const { bytes, weight, requestId } = message;
        const payload = requestId === undefined ? message.payload : { request_id: requestId };
        this.#context.requests.handle(payload, bytes, channel, replyTo, weight);
        return;
      }
      case events.leave:
        this.reply(channel.joinRef, message, "ok", "{}");
        channel.leave();
        this.#leave(channel);
        this.#sendClose(channel.joinRef, channel.topic);
        return;
      case events.cancel:
        this.#end(channel, message, (calls, id) => calls.cancel(id));
        return;
      case events.stopStream:
        this.#end(channel, message, (calls, id) => calls.stopStream(id));
        return;
      case events.acknowledge:
        this.#acknowledge(channel, message);
        return;
      case events.resume:
        this.#resume(channel, message);
        return;
      default:
        this.#call(channel, message);
    }
  }

  /** Calls the function of a further event. The payload is its arguments, and can say nothing else. */
  #call(channel: JoinedChannel, message: Message): void {
    const { event, ref, payload, bytes, weight } = message;
    const called = channel.functionOf(event);
    if (called === undefined) {
      throw libraryError(
        "invalid_request",
        `The channel "${channel.topic}" has no event ${JSON.stringify(event)}, only "${channel.event}"`,
      );
    }
    const { service, requestType } = called;
    // Names it in telemetry and logs; the client knows it by its ref.
    const request_id = `${event} ${ref}`.slice(0, maxEventIdLength);
    const request = { request_id, service, request_type: requestType, args: payload };
    const replyTo = new EventReply(channel, ref, called);
    this.#context.requests.handle(payload instanceof TooDeep ? payload : request, bytes, channel, replyTo, weight);
  }

  /** Ends a running request. The reply goes out before the results of ending it. */
  #end(
    channel: JoinedChannel,
    message: Message,
    end: (calls: RunningCalls, requestId: string) => (() => void) | null,
  ): void {
    const id = (message.payload as { request_id?: unknown } | null | undefined)?.request_id;
    const found = typeof id === "string" ? end(channel.calls, id) : null;
    this.reply(channel.joinRef, message, found ? "ok" : "error", found ? "{}" : '{"reason":"not_found"}');
    found?.();
  }

  /** The client has consumed chunks of a stream. Without a ref it does not want to know whether that was understood. */
  #acknowledge(channel: JoinedChannel, message: Message): void {
    const fields = message.payload as { request_id?: unknown; seq?: unknown } | null | undefined;
    const fault = channel.calls.acknowledge(fields?.request_id, fields?.seq);
    if (message.ref === null) return;
    const response = fault === null ? "{}" : `{"reason":"${fault}"}`;
    this.reply(channel.joinRef, message, fault === null ? "ok" : "error", response);
  }

  /** Continues a stream here. The reply goes out before its Responses. */
  #resume(channel: JoinedChannel, message: Message): void {
    this.#identity.frames.use(frameCosts.resume);
    const found = this.#context.requests.resume(message.payload, channel, new RequestReply(channel, null));
    if (!(found instanceof Promise)) this.#resumed(channel, message, found);
    else
      found
        .then((later) => this.#resumed(channel, message, later))
        .catch((thrown) => this.#owner?.crash(toError(thrown)));
  }

  #resumed(channel: JoinedChannel, message: Message, found: Resumption): void {
    if (!channel.isJoined) return;
    if (typeof found === "string") this.reply(channel.joinRef, message, "error", `{"reason":"${found}"}`);
    else {
      this.reply(channel.joinRef, message, "ok", "{}");
      found();
    }
  }

  #join(message: Message, replaced: JoinedChannel | undefined): void {
    const { channels, options, clock } = this.#context;
    this.#identity.frames.use(frameCosts.join);
    const definition = channels.find((channel) => channel.matches(message.topic));
    if (definition === undefined) {
      this.reply(null, message, "error", unmatchedTopic);
      return;
    }
    if (this.#isDraining) {
      this.reply(message.joinRef, message, "error", draining);
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
    if (message.payload instanceof TooDeep) {
      this.#refuse(join, '{"reason":"payload too deep"}');
      return;
    }
    if (message.payload instanceof Uint8Array) {
      this.#refuse(join, '{"reason":"payload is binary"}');
      return;
    }
    const { topic, payload, weight } = message;
    if (this.#joinBytes > 0 && this.#joinBytes + weight > options.maxRequestBytesInFlight) {
      this.#refuse(join, '{"reason":"too many joins under way"}');
      return;
    }
    const request = { topic, payload, socket: this.#identity.socket };
    const gateway = { name: this.#context.gateway, clock };
    askToJoin(definition, request, gateway, options.maxPayloadBytes, (decision) => this.#decide(join, decision));
    if (this.#topics.get(topic) !== join) return;
    // Its payload stays in memory until the decision.
    join.payloadBytes = weight;
    this.#countJoin(weight);
    join.timer = clock.setTimeout(() => this.#refuse(join, '{"reason":"join timed out"}'), options.joinTimeoutMs);
  }

  #refuse(join: PendingJoin, response: string): void {
    this.#decide(join, { status: "error", response });
  }

  /** In a timer or after a promise there is no one else to catch an error: it crashes this connection. */
  #decide(join: PendingJoin, decision: JoinDecision): void {
    try {
      this.#settle(join, decision);
    } catch (thrown) {
      this.#owner?.crash(toError(thrown));
    }
  }

  /**
   * Answers a join, unless it was answered or its socket closed before; then releases the messages that waited for it.
   */
  #settle(join: PendingJoin, { status, response, claims, crash }: JoinDecision): void {
    const { message, replacedJoinRef } = join;
    const { topic } = message;
    if (crash !== undefined) this.#emitCrash(topic, crash);
    if (this.#topics.get(topic) !== join) return;
    this.#context.clock.clearTimeout(join.timer);
    this.#topics.delete(topic);
    this.reply(message.joinRef, message, status, response);
    // The channel replaced by this join ended before, but reports it only now: Phoenix sends them in this order.
    if (replacedJoinRef !== undefined) this.#sendClose(replacedJoinRef, topic);
    if (status === "ok") {
      this.#joins += 1;
      const held = claims ?? this.#identity.socket.assigns.claims ?? noClaims;
      const channel = new JoinedChannel(this.#joins, message, join.definition, this.#identity, this.#outbound, held);
      this.#topics.set(topic, channel);
      this.#context.members.add(topic, channel);
      this.#owner?.startChannel(channel);
    }
    if (joinEvent.active) {
      const duration_us = Math.round((this.#context.clock.now() - join.startedAt) * 1_000);
      joinEvent.emit({ duration_us }, { ...this.#names(topic), accepted: status === "ok" });
    }
    this.#countHeld(-join.heldBytes);
    this.#countJoin(-join.payloadBytes);
    this.#heldMessages.onReleased(join.held);
  }

  #hold(join: PendingJoin, message: Message, data: Buffer, isBinary: boolean): void {
    const size = heldSize(data);
    if (this.#heldBytes + size > this.#context.options.maxFrameBytes) {
      this.reply(message.joinRef, message, "error", '{"reason":"too many messages before the join was answered"}');
      return;
    }
    join.hold(data, isBinary);
    this.#countHeld(size);
  }

  #countJoin(bytes: number): void {
    if (bytes === 0) return;
    this.#joinBytes += bytes;
    this.#heldMessages.onHeld(bytes);
  }

  #countHeld(bytes: number): void {
    if (bytes === 0) return;
    this.#heldBytes += bytes;
    this.#heldMessages.onHeld(bytes);
  }

  /** Ends a channel in good order. */
  #leave(channel: JoinedChannel): void {
    if (!this.#remove(channel)) return;
    this.#owner?.stopChannel(channel);
    leaveEvent.emit({ system_time: this.#context.clock.systemTime() }, this.#names(channel.topic));
  }

  /** @returns false if it had been removed before */
  #remove(channel: JoinedChannel): boolean {
    if (this.#topics.get(channel.topic) !== channel) return false;
    this.#topics.delete(channel.topic);
    this.#context.members.delete(channel.topic, channel);
    channel.close();
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
