import { z } from "zod";
import { must } from "../core/faults.ts";
import type { ChannelOptions } from "../socket/channel.ts";
import { checkTrustProxy, type TrustProxy } from "../socket/client-address.ts";
import { type AllowedOrigins, checkAllowedOrigins } from "../socket/origin.ts";
import { type SocketOptions, socketDefaults } from "../socket/socket-options.ts";
import { checked, flag, fun, milliseconds, positive, text } from "./option-schemas.ts";

const topicRule = 'an exact topic, or one that ends in its only "*", such as "api:*"';

/** The schema of {@link SocketOptions}. */
export const socketSchema = z.strictObject({
  path: z
    .string({ error: must('a path such as "/socket"') })
    .regex(/^\/[^?#]*$/, { error: must('a path such as "/socket"') })
    .default(socketDefaults.path),
  connect: fun<NonNullable<SocketOptions["connect"]>>("a function").default(() => socketDefaults.connect),
  allowedOrigins: checked<AllowedOrigins>(checkAllowedOrigins).default(socketDefaults.allowedOrigins),
  trustProxy: checked<TrustProxy>(checkTrustProxy).default(socketDefaults.trustProxy),
  maxPayloadBytes: positive.default(socketDefaults.maxPayloadBytes),
  maxFrameBytes: positive.default(socketDefaults.maxFrameBytes),
  maxFragments: positive.default(socketDefaults.maxFragments),
  maxBufferedChunks: positive.default(socketDefaults.maxBufferedChunks),
  idleTimeoutMs: milliseconds.default(socketDefaults.idleTimeoutMs),
  upgradeTimeoutMs: milliseconds.default(socketDefaults.upgradeTimeoutMs),
  connectTimeoutMs: milliseconds.default(socketDefaults.connectTimeoutMs),
  joinTimeoutMs: milliseconds.default(socketDefaults.joinTimeoutMs),
  closeTimeoutMs: milliseconds.default(socketDefaults.closeTimeoutMs),
  maxConnections: positive.default(socketDefaults.maxConnections),
  maxConnectionsPerAddress: positive.default(socketDefaults.maxConnectionsPerAddress),
  maxChannels: positive.default(socketDefaults.maxChannels),
  maxRequestsInFlight: positive.default(socketDefaults.maxRequestsInFlight),
  maxBufferedBytes: positive.default(socketDefaults.maxBufferedBytes),
});

/** The schema of {@link ChannelOptions}. */
export const channelSchema = z.strictObject({
  topic: z.string({ error: must(topicRule) }).regex(/^[^*]+\*?$/, { error: must(topicRule) }),
  event: text().default("phoenix_gen_api"),
  join: fun<NonNullable<ChannelOptions["join"]>>("a function").default(() => () => ({})),
  overrideUserId: flag().default(true),
  requireVerifiedUserId: flag().default(false),
  replyMode: z.enum(["push", "reply"], { error: must('"push" or "reply"') }).default("push"),
});
