import { z } from "zod";
import { errorCodes, libraryError } from "../../core/errors.ts";
import { faultsError, faultsOf, must } from "../../core/faults.ts";
import { streamWindow } from "../../execution/stream-credit.ts";
import { protocolVersion, widestStreamWindow } from "../wire/node-protocol.ts";

/** The most bytes of a message of the handshake. */
const maxHandshakeBytes = 16 * 1024;

const text = (min: number, max: number) => {
  const error = must(`a text of ${min} to ${max} characters`);
  return z.string({ error }).min(min, { error }).max(max, { error });
};
const whole = (min: number, max: number) => {
  const error = must(`a whole number from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
};
const list = must("a list of 1 to 50 names");
const name = text(1, 255);
const nonce = text(16, 128);
const mac = text(1, 128);

/** The messages of the handshake, in the order in which they are sent. */
const messages = {
  /** The node introduces itself. */
  hello: z.object({
    type: z.literal("hello"),
    version: z.literal(protocolVersion, { error: must(`${protocolVersion}`) }),
    node: name,
    services: z.array(name, { error: list }).min(1, { error: list }).max(50, { error: list }),
    instance: name,
    nonce,
  }),
  challenge: z.object({ type: z.literal("challenge"), gateway: name, nonce }),
  /** The node proves that it knows a token. */
  proof: z.object({ type: z.literal("proof"), mac }),
  /**
   * The gateway proves it too, and announces the heartbeat interval and how many unconsumed chunks of a stream may be
   * sent.
   */
  welcome: z.object({
    type: z.literal("welcome"),
    mac,
    heartbeatMs: whole(10, 600_000),
    missed: whole(1, 1_000),
    streamWindow: whole(streamWindow, widestStreamWindow),
  }),
  /** Instead of `challenge` or `welcome`. */
  refused: z.object({
    type: z.literal("refused"),
    // A later release may have other codes; the reason is what matters.
    code: z.enum(errorCodes).catch("unavailable"),
    reason: text(0, 1_000),
  }),
} as const;

type Messages = { [Type in keyof typeof messages]: z.infer<(typeof messages)[Type]> };

/** A message of one of these types. */
export type HandshakeMessage<Type extends keyof Messages> = Messages[Type];

/** A message as it is sent. */
export function encodeMessage(message: HandshakeMessage<keyof Messages>): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}

/**
 * Parses a message that must be of one of these types.
 *
 * @throws GenApiError `invalid_request`
 */
export function parseMessage<Type extends keyof Messages>(
  bytes: Uint8Array,
  ...types: readonly Type[]
): HandshakeMessage<Type> {
  const expected = types.join(" or ");
  const json = parseJson(bytes, expected);
  const type = types.find((candidate) => candidate === (json as { type?: unknown } | null)?.type);
  if (type === undefined) throw libraryError("invalid_request", `The handshake must go on with ${expected}`);
  const parsed = messages[type].safeParse(json);
  if (!parsed.success) throw faultsError("invalid_request", `The handshake's ${type}`, faultsOf(parsed.error));
  return parsed.data as HandshakeMessage<Type>;
}

function parseJson(bytes: Uint8Array, expected: string): unknown {
  if (bytes.length > maxHandshakeBytes) {
    const size = `${bytes.length} bytes, at most ${maxHandshakeBytes} are allowed`;
    throw libraryError("invalid_request", `A message of the handshake has ${size}`);
  }
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (thrown) {
    throw libraryError("invalid_request", `The handshake must go on with ${expected}, as JSON`, { cause: thrown });
  }
}
