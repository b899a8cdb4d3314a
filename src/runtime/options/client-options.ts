import { z } from "zod";
import { idempotencyDefaults } from "../../call/idempotency/idempotency-options.ts";
import { streamsDefaults } from "../../call/resume/streams-options.ts";
import { described, must, shown } from "../../core/faults.ts";
import type { ChannelOptions } from "../../socket/channels/channel.ts";
import { isReservedEvent, reservedRule } from "../../socket/channels/channel-events.ts";
import { drainDefaults } from "../../socket/drain-options.ts";
import { checkTrustProxy, type TrustProxy } from "../../socket/handshake/client-address.ts";
import { type AllowedOrigins, checkAllowedOrigins } from "../../socket/handshake/origin.ts";
import { maxFrameBytesFor, type SocketOptions, socketDefaults } from "../../socket/handshake/socket-options.ts";
import { frameLimitDefaults } from "../../socket/inbound/frame-limit.ts";
import { checked, count, flag, fun, milliseconds, positive, section, text } from "./option-schemas.ts";

const topicRule = 'an exact topic, or one that ends in its only "*", such as "api:*"';

const frameLimitSchema = section(
  z.strictObject({
    perSecond: positive.default(frameLimitDefaults.perSecond),
    burst: positive.default(frameLimitDefaults.burst),
    closeAfterMs: milliseconds.default(frameLimitDefaults.closeAfterMs),
  }),
);

const socketObject = z.strictObject({
  path: z
    .string({ error: must('a path such as "/socket"') })
    .regex(/^\/[^?#]*$/, { error: must('a path such as "/socket"') })
    .default(socketDefaults.path),
  connect: fun<NonNullable<SocketOptions["connect"]>>("a function").default(() => socketDefaults.connect),
  allowedOrigins: checked<AllowedOrigins>(checkAllowedOrigins).default(socketDefaults.allowedOrigins),
  trustProxy: checked<TrustProxy>(checkTrustProxy).default(socketDefaults.trustProxy),
  maxPayloadBytes: positive.default(socketDefaults.maxPayloadBytes),
  maxFrameBytes: positive.optional(),
  maxFragments: positive.default(socketDefaults.maxFragments),
  maxBufferedChunks: positive.default(socketDefaults.maxBufferedChunks),
  messageTimeoutMs: milliseconds.default(socketDefaults.messageTimeoutMs),
  frameLimit: frameLimitSchema,
  idleTimeoutMs: milliseconds.default(socketDefaults.idleTimeoutMs),
  upgradeTimeoutMs: milliseconds.default(socketDefaults.upgradeTimeoutMs),
  connectTimeoutMs: milliseconds.default(socketDefaults.connectTimeoutMs),
  joinTimeoutMs: milliseconds.default(socketDefaults.joinTimeoutMs),
  closeTimeoutMs: milliseconds.default(socketDefaults.closeTimeoutMs),
  maxConnections: positive.default(socketDefaults.maxConnections),
  maxConnectionsPerAddress: positive.default(socketDefaults.maxConnectionsPerAddress),
  maxWaitingConnections: positive.default(socketDefaults.maxWaitingConnections),
  maxChannels: positive.default(socketDefaults.maxChannels),
  maxRequestsInFlight: positive.default(socketDefaults.maxRequestsInFlight),
  maxRequestBytesInFlight: positive.default(socketDefaults.maxRequestBytesInFlight),
  maxPushBytes: positive.default(socketDefaults.maxPushBytes),
  maxRequestBytesInSum: positive.default(socketDefaults.maxRequestBytesInSum),
  maxStreamsInFlight: positive.default(socketDefaults.maxStreamsInFlight),
  maxBufferedBytes: positive.default(socketDefaults.maxBufferedBytes),
  maxHeldBytes: positive.default(socketDefaults.maxHeldBytes),
});

/** The schema of {@link DrainOptions}. */
export const drainSchema = z.strictObject({
  batchSize: positive.default(drainDefaults.batchSize),
  intervalMs: milliseconds.default(drainDefaults.intervalMs),
});

/** The schema of {@link StreamsOptions}. */
export const streamsSchema = z.strictObject({
  resumeMs: described(z.int().min(0), "a whole number of milliseconds, 0 or more").default(streamsDefaults.resumeMs),
  maxDetached: count(0).default(streamsDefaults.maxDetached),
  maxKeptBytes: count(0).default(streamsDefaults.maxKeptBytes),
});

/** The schema of {@link IdempotencyOptions}. */
export const idempotencySchema = z.strictObject({
  orphanMs: milliseconds.default(idempotencyDefaults.orphanMs),
  keepMs: milliseconds.default(idempotencyDefaults.keepMs),
  maxEntries: count(0).default(idempotencyDefaults.maxEntries),
  maxBytes: count(0).default(idempotencyDefaults.maxBytes),
});

/** The schema of {@link SocketOptions}. */
export const socketSchema = socketObject.transform((socket) => ({
  ...socket,
  maxFrameBytes: socket.maxFrameBytes ?? maxFrameBytesFor(socket.maxPayloadBytes),
}));

const eventFunction = z.strictObject({ service: text(), requestType: text() });

/** The schema of {@link ChannelOptions}. */
export const channelSchema = z
  .strictObject({
    topic: z.string({ error: must(topicRule) }).regex(/^[^*]+\*?$/, { error: must(topicRule) }),
    event: text().default("phoenix_gen_api"),
    join: fun<NonNullable<ChannelOptions["join"]>>("a function").default(() => () => ({})),
    events: z.record(z.string(), eventFunction, { error: must("an object of functions by event") }).default({}),
    overrideUserId: flag().default(true),
    requireVerifiedUserId: flag().default(false),
    replyMode: z.enum(["push", "reply"], { error: must('"push" or "reply"') }).default("push"),
  })
  .superRefine(({ event, events }, { addIssue }) => {
    for (const name of Object.keys(events).filter((name) => name === "" || isReservedEvent(name, event))) {
      addIssue({ code: "custom", path: ["events"], message: `must be named ${reservedRule}, got ${shown(name)}` });
    }
  });
