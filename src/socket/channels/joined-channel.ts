import type { Status as ActorStatus } from "../../actor/inspection/format-status.ts";
import type { Resource, ResourceRef } from "../../actor/resource.ts";
import type { Caller, ReplyTo } from "../../call/request/caller.ts";
import { type InFlight, RunningCalls } from "../../call/request/running-calls.ts";
import type { Share } from "../../core/fair/share.ts";
import type { Claims, TraceContext } from "../../core/request-info.ts";
import type { ReplyStatus } from "../../protocol/channel-events.ts";
import type { Message, Ref } from "../../protocol/message.ts";
import type { ChannelEncoder, Serializer } from "../../protocol/serializer.ts";
import type { Assigns } from "../handshake/assigns.ts";
import { type FrameBudget, frameCosts } from "../inbound/frame-limit.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { SharedFrame } from "../outbound/text-frame.ts";
import type { ChannelDefinition, ChannelSocket } from "./channel.ts";
import type { EventFunction } from "./channel-events.ts";

/** The data of a client, known when its socket opens. */
export interface ConnectionIdentity {
  readonly socket: ChannelSocket;
  readonly serializer: Serializer;
  readonly trace: TraceContext | null;
  /** The client that the calls of its channels belong to. */
  readonly share: Share;
  /** The running calls of its channels. */
  readonly inFlight: InFlight;
  /** What it may still send. */
  readonly frames: FrameBudget;
}

// One list for all clients without roles.
const noRoles: readonly string[] = Object.freeze([]);

/**
 * A topic that a client has joined: reads and answers its messages, identifies the caller of its requests, and is the
 * resource of its actor. There is one for each channel of each idle connection, so every field costs memory.
 */
export class JoinedChannel implements Caller, Resource {
  /** Unique in its connection: a topic may be rejoined before the end of its last actor was seen. */
  readonly id: string;
  readonly topic: string;
  /** The join_ref of the channel's own messages; null once it drains. */
  joinRef: Ref;
  /** The join_ref required of the client's messages, if any (Phoenix keeps these two apart). */
  readonly expectedJoinRef: Ref;
  readonly outbound: Outbound;
  readonly userId: string | null;
  readonly deviceId: string | null;
  readonly userRoles: readonly string[];
  /** Those of the connection, and those that `join` added. */
  readonly claims: Claims;
  /** Its actor, until that actor's end was seen. */
  actor: ResourceRef | undefined;
  /** False once the client left, or the channel ended otherwise: nothing more is sent. */
  isJoined = true;
  readonly #definition: ChannelDefinition;
  readonly #identity: ConnectionIdentity;
  // Both are created for the first request: many channels never have one.
  #encoder: ChannelEncoder | undefined;
  #calls: RunningCalls | undefined;

  constructor(
    number: number,
    join: Message,
    definition: ChannelDefinition,
    identity: ConnectionIdentity,
    outbound: Outbound,
    claims: Claims,
  ) {
    const { assigns } = identity.socket;
    this.id = `${join.topic}#${number}`;
    this.topic = join.topic;
    this.joinRef = join.joinRef ?? join.ref;
    this.expectedJoinRef = join.joinRef;
    this.outbound = outbound;
    // An anonymous client may send an empty user id, which the host's connect passes on.
    this.userId = assigns.userId || null;
    this.deviceId = assigns.deviceId ?? null;
    this.userRoles = assigns.userRoles ?? noRoles;
    this.claims = claims;
    this.#definition = definition;
    this.#identity = identity;
  }

  /** The topic of the channel with this id. */
  static topicOf(id: string): string {
    return id.slice(0, id.lastIndexOf("#"));
  }

  get event(): string {
    return this.#definition.event;
  }

  /** The function that a further event calls; undefined for an unknown event. */
  functionOf(event: string): EventFunction | undefined {
    return this.#definition.events.get(event);
  }

  get replyMode(): "push" | "reply" {
    return this.#definition.replyMode;
  }

  get overrideUserId(): boolean {
    return this.#definition.overrideUserId;
  }

  get requireVerifiedUserId(): boolean {
    return this.#definition.requireVerifiedUserId;
  }

  get ipAddress(): string | null {
    return this.#identity.socket.ipAddress;
  }

  get depth(): number {
    return 0;
  }

  get trace(): TraceContext | null {
    return this.#identity.trace;
  }

  get share(): Share {
    return this.#identity.share;
  }

  /** What its client may still send. */
  get frames(): FrameBudget {
    return this.#identity.frames;
  }

  get calls(): RunningCalls {
    this.#calls ??= new RunningCalls(this.#identity.inFlight);
    return this.#calls;
  }

  get assigns(): Assigns {
    return this.#identity.socket.assigns;
  }

  get serializer(): Serializer {
    return this.#identity.serializer;
  }

  /** Sends a message that was encoded for many sockets. */
  sendFrame(frame: SharedFrame): void {
    if (this.isJoined) this.outbound.sendFrame(frame);
  }

  /** Sends an event of its own accord; `payload` is JSON. */
  pushEvent(event: string, payload: string): void {
    if (!this.isJoined) return;
    this.outbound.send(this.serializer.encode(this.joinRef, null, this.topic, event, payload));
  }

  get encoder(): ChannelEncoder {
    this.#encoder ??= this.#identity.serializer.forChannel(this.joinRef, this.topic, this.event);
    return this.#encoder;
  }

  /** What inspectors see of its actor. */
  formatStatus(): ActorStatus {
    return { topic: this.topic, running: this.#calls?.size ?? 0 };
  }

  /**
   * Gives its answers no join_ref from now on, as broadcasts have none. An official client drops a message with another
   * join_ref than that of its last attempt to rejoin, which it may make while the answer is in transit.
   */
  drain(): void {
    this.joinRef = null;
    this.#encoder = undefined;
  }

  /** The client wants nothing of it any more. */
  leave(): void {
    this.isJoined = false;
    this.#calls?.abortAll("disconnected");
  }

  /** Ends it: aborts its running calls, whose results are not sent, but for streams that its client may resume. */
  close(): void {
    this.isJoined = false;
    this.#calls?.detachAll();
  }
}

/** Sends the answers to one request of a channel. */
export class RequestReply implements ReplyTo {
  readonly #channel: JoinedChannel;
  readonly #ref: Ref;

  constructor(channel: JoinedChannel, ref: Ref) {
    this.#channel = channel;
    this.#ref = ref;
  }

  answer(response: string, status: ReplyStatus, reply: string): void {
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

  onRepeated(responses: number): void {
    this.#channel.frames.use(responses * frameCosts.repeated);
  }

  push(response: string): void {
    if (this.#channel.isJoined) this.#channel.outbound.send(this.#channel.encoder.push(response));
  }

  reply(status: ReplyStatus, reply: string): void {
    if (this.#channel.isJoined) this.#channel.outbound.send(this.#channel.encoder.reply(this.#ref, status, reply));
  }
}
