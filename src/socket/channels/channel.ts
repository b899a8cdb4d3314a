import { libraryError } from "../../core/errors.ts";
import type { Assigns } from "../handshake/assigns.ts";
import type { EventFunction } from "./channel-events.ts";

/** A value or a promise for it. */
type Awaitable<Value> = Value | Promise<Value>;

/** The connection as `join` sees it. */
export interface ChannelSocket {
  /** Unique among the connections of this gateway. */
  readonly id: string;
  /** The assigns that `connect` returned. */
  readonly assigns: Assigns;
  /** The client's address, found according to the option `trustProxy`. */
  readonly ipAddress: string | null;
}

/** A client's request to join, and its connection. */
export interface JoinRequest {
  /** The topic that the client named: with `topic: "api:*"` perhaps "api:lobby". */
  readonly topic: string;
  /** Any JSON value. */
  readonly payload: unknown;
  /** The client's connection. */
  readonly socket: ChannelSocket;
}

/** One kind of channel that clients can join. */
export interface ChannelOptions {
  /** An exact topic, or a prefix of topics: `"api:*"`. The first option that matches a client's topic applies. */
  readonly topic: string;
  /** The event of requests and pushed Responses. @default "phoenix_gen_api" */
  readonly event?: string;
  /**
   * Decides who may join. Its result is the reply to the join (nothing: `{}`), at most `maxPayloadBytes` of JSON, or a
   * `Joined`, which adds claims. Throw {@link JoinRefused} to refuse. Frames of this topic wait until it is done; other topics of the socket do not.
   * @default every client may join
   */
  readonly join?: (request: JoinRequest) => Awaitable<unknown>;
  /**
   * Further events of clients, each of which calls a function: the payload is its arguments, the reply its result. They
   * are requests like any other, to permissions and limits too. Any other event crashes the channel. @default none
   */
  readonly events?: Readonly<Record<string, EventFunction>>;
  /** When false, a payload's user_id and device_id reach the function, marked unverified. @default true */
  readonly overrideUserId?: boolean;
  /** Refuses requests from connections without a user id. @default false */
  readonly requireVerifiedUserId?: boolean;
  /** "push" sends a Response as a push before the reply, "reply" inside the reply. @default "push" */
  readonly replyMode?: "push" | "reply";
}

/** {@link ChannelOptions} with every default in place. */
export interface ChannelDefinition {
  readonly event: string;
  readonly join: (request: JoinRequest) => Awaitable<unknown>;
  readonly overrideUserId: boolean;
  readonly requireVerifiedUserId: boolean;
  readonly replyMode: "push" | "reply";
  /** The functions of further events. */
  readonly events: ReadonlyMap<string, EventFunction>;
  matches(topic: string): boolean;
}

/** Thrown by `join` to refuse a client: the join is answered with status "error" and `payload`. */
export class JoinRefused extends Error {
  /** "JoinRefused". */
  override readonly name = "JoinRefused";
  /** The reply to the client: at most `maxPayloadBytes` of JSON. */
  readonly payload: unknown;

  /** @param payload any JSON value, such as `{ reason: "unauthorized" }` */
  constructor(payload: unknown = {}) {
    super("The join was refused");
    this.payload = payload;
  }
}

/** Gives types to channel options that are written in a file of their own. */
export function defineChannel(options: ChannelOptions): ChannelOptions {
  return options;
}

/**
 * Fills in the defaults.
 * @throws GenApiError `invalid_option` for a topic that could never match as intended
 */
export function resolveChannel(options: ChannelOptions): ChannelDefinition {
  return {
    event: options.event ?? "phoenix_gen_api",
    join: options.join ?? (() => ({})),
    overrideUserId: options.overrideUserId ?? true,
    requireVerifiedUserId: options.requireVerifiedUserId ?? false,
    replyMode: options.replyMode ?? "push",
    events: new Map(Object.entries(options.events ?? {})),
    matches: topicMatcher(options.topic),
  };
}

/**
 * Phoenix's rule (Phoenix.Socket.channel/3): an exact topic, or every topic that begins with the text before a final
 * `*`.
 */
export function topicMatcher(pattern: string): (topic: string) => boolean {
  const star = pattern.indexOf("*");
  if (pattern === "" || (star !== -1 && star !== pattern.length - 1)) {
    throw libraryError(
      "invalid_option",
      `A channel's topic must be exact or end in its only "*", got ${JSON.stringify(pattern)}`,
    );
  }
  if (star === -1) return (topic) => topic === pattern;
  const prefix = pattern.slice(0, -1);
  return (topic) => topic.startsWith(prefix);
}
