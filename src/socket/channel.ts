import { libraryError } from "../core/errors.ts";
import type { Assigns } from "./assigns.ts";

/** A value, now or later. */
type Awaitable<Value> = Value | Promise<Value>;

/** The connection as `join` sees it. */
export interface ChannelSocket {
  /** Unique among the connections of this gateway. */
  readonly id: string;
  /** What `connect` returned. */
  readonly assigns: Assigns;
  /** The client's address, as the option `trustProxy` finds it. */
  readonly ipAddress: string | null;
}

/** What a client that joins sends, and where from. */
export interface JoinRequest {
  /** The topic as the client named it: with `topic: "api:*"` perhaps "api:lobby". */
  readonly topic: string;
  /** Any JSON value. */
  readonly payload: unknown;
  /** The connection that it comes over. */
  readonly socket: ChannelSocket;
}

/** One kind of channel that clients can join. */
export interface ChannelOptions {
  /** An exact topic, or a prefix of topics: `"api:*"`. The first option that matches a client's topic is taken. */
  readonly topic: string;
  /** The event that carries requests, and the pushed Responses. @default "phoenix_gen_api" */
  readonly event?: string;
  /**
   * Decides who may join; what it returns is the join's reply (nothing: `{}`). Throw {@link JoinRefused} to refuse.
   * Frames of this topic wait until it is done; other topics of the socket do not.
   * @default everybody may join
   */
  readonly join?: (request: JoinRequest) => Awaitable<unknown>;
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
  matches(topic: string): boolean;
}

/** What `join` throws to refuse a client: the join is answered with status "error" and `payload`. */
export class JoinRefused extends Error {
  /** "JoinRefused". */
  override readonly name = "JoinRefused";
  /** What the client is told. */
  readonly payload: unknown;

  /** @param payload any JSON value, such as `{ reason: "unauthorized" }` */
  constructor(payload: unknown = {}) {
    super("The join was refused");
    this.payload = payload;
  }
}

/** Types a channel's options where they stand in a file of their own. */
export function defineChannel(options: ChannelOptions): ChannelOptions {
  return options;
}

/**
 * Puts the defaults in place.
 * @throws GenApiError `invalid_option` for a topic that could never be matched as it is meant
 */
export function resolveChannel(options: ChannelOptions): ChannelDefinition {
  return {
    event: options.event ?? "phoenix_gen_api",
    join: options.join ?? (() => ({})),
    overrideUserId: options.overrideUserId ?? true,
    requireVerifiedUserId: options.requireVerifiedUserId ?? false,
    replyMode: options.replyMode ?? "push",
    matches: topicMatcher(options.topic),
  };
}

/** Phoenix's rule (Phoenix.Socket.channel/3): exact, or everything that begins with what precedes a final `*`. */
function topicMatcher(pattern: string): (topic: string) => boolean {
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
