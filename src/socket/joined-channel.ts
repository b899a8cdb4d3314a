import type { Caller, ReplyTo } from "../call/caller.ts";
import { type InFlight, RunningCalls } from "../call/running-calls.ts";
import type { TraceContext } from "../core/request-info.ts";
import type { Status } from "../protocol/events.ts";
import type { Message, Ref } from "../protocol/message.ts";
import type { ChannelEncoder, Serializer } from "../protocol/serializer.ts";
import type { ChannelDefinition, ChannelSocket } from "./channel.ts";
import type { Outbound } from "./outbound.ts";

/** What is known of a client when its socket opens. */
export interface ConnectionIdentity {
  readonly socket: ChannelSocket;
  readonly serializer: Serializer;
  readonly trace: TraceContext | null;
  /** What its channels have running together. */
  readonly inFlight: InFlight;
}

/** A topic that a client has joined: what its messages are read and answered with. */
export class JoinedChannel {
  /** Unique in its connection: a topic may be joined again before the end of its last actor was seen. */
  readonly id: string;
  readonly topic: string;
  readonly event: string;
  readonly replyMode: "push" | "reply";
  /** What the channel's own messages carry. */
  readonly joinRef: Ref;
  /** The join_ref that the client's messages must carry, if any (Phoenix keeps these two apart). */
  readonly expectedJoinRef: Ref;
  readonly encoder: ChannelEncoder;
  readonly outbound: Outbound;
  readonly caller: Caller;
  /** False once the client left, or the channel ended otherwise: nothing is sent any more. */
  isJoined = true;

  constructor(
    number: number,
    join: Message,
    definition: ChannelDefinition,
    identity: ConnectionIdentity,
    outbound: Outbound,
  ) {
    const { assigns, ipAddress } = identity.socket;
    this.id = `${join.topic}#${number}`;
    this.topic = join.topic;
    this.event = definition.event;
    this.replyMode = definition.replyMode;
    this.joinRef = join.joinRef ?? join.ref;
    this.expectedJoinRef = join.joinRef;
    this.encoder = identity.serializer.forChannel(this.joinRef, join.topic, definition.event);
    this.outbound = outbound;
    this.caller = {
      // A client that is nobody may send an empty user id, which the host's connect passes on.
      userId: assigns.userId || null,
      deviceId: assigns.deviceId ?? null,
      userRoles: assigns.userRoles ?? [],
      ipAddress,
      trace: identity.trace,
      overrideUserId: definition.overrideUserId,
      requireVerifiedUserId: definition.requireVerifiedUserId,
      calls: new RunningCalls(identity.inFlight),
    };
  }

  /** Ends it: what runs for it is aborted, what comes of it is not sent. */
  end(): void {
    this.isJoined = false;
    this.caller.calls.abortAll("disconnected");
  }
}

/** Where the answers to one request of a channel go. */
export class RequestReply implements ReplyTo {
  readonly #channel: JoinedChannel;
  readonly #ref: Ref;

  constructor(channel: JoinedChannel, ref: Ref) {
    this.#channel = channel;
    this.#ref = ref;
  }

  answer(response: string, status: Status, reply: string): void {
    const channel = this.#channel;
    if (!channel.isJoined) return;
    const { encoder, outbound } = channel;
    if (channel.replyMode === "reply") {
      outbound.send(encoder.reply(this.#ref, status, response));
      return;
    }
    outbound.send(encoder.push(response));
    outbound.send(encoder.reply(this.#ref, status, reply));
  }

  get isReady(): boolean {
    return this.#channel.outbound.isReady;
  }

  whenReady(run: () => void): void {
    this.#channel.outbound.whenReady(run);
  }

  push(response: string): void {
    if (this.#channel.isJoined) this.#channel.outbound.send(this.#channel.encoder.push(response));
  }

  reply(status: Status, reply: string): void {
    if (this.#channel.isJoined) this.#channel.outbound.send(this.#channel.encoder.reply(this.#ref, status, reply));
  }
}
