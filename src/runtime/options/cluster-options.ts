import { z } from "zod";
import { described, mustUnshown } from "../../core/faults.ts";
import { streamWindow } from "../../execution/stream-credit.ts";
import type { PushToken } from "../../node/greeting/push-token.ts";
import type { NodeTransport } from "../../node/node-transport.ts";
import { widestStreamWindow } from "../../node/wire/node-protocol.ts";
import { secret, section } from "./option-schemas.ts";

/** How gateways and nodes notice that the other side is gone though its socket is open. A gateway sends its nodes this rule. */
export interface HeartbeatOptions {
  /** How often each side sends a sign of life, milliseconds, from 10 to 600_000. @default 1_000 */
  readonly intervalMs?: number;
  /** How many signs of life may be missed, up to 1_000. @default 3 */
  readonly missed?: number;
}

/** The schema of {@link HeartbeatOptions}. */
export const heartbeatSchema = section(
  z.strictObject({
    intervalMs: described(z.int().min(10).max(600_000), "a whole number from 10 to 600000 (milliseconds)").default(
      1_000,
    ),
    missed: described(z.int().min(1).max(1_000), "a whole number from 1 to 1000").default(3),
  }),
);

/** The schema of the option `nodeStreamWindow`. */
export const nodeStreamWindowSchema = described(
  z.int().min(streamWindow).max(widestStreamWindow),
  `a whole number from ${streamWindow} to ${widestStreamWindow}`,
).default(streamWindow);

const pushTokens = "a secret, a list of secrets, or a map from services to secrets";

/** The schema of a gateway's {@link PushToken}. */
export const pushTokenSchema = z
  .custom<PushToken>((token) => typeof token === "string" || (typeof token === "object" && token !== null), {
    error: mustUnshown(pushTokens),
  })
  .superRefine((token, context) => {
    const isList = Array.isArray(token);
    const secrets: [PropertyKey[], unknown][] =
      typeof token === "string"
        ? [[[], token]]
        : Object.entries(token).map(([key, value]) => [[isList ? Number(key) : key], value]);
    if (secrets.length === 0) context.addIssue({ code: "custom", message: "must contain at least one secret" });
    // One by one: when several come from the environment, the message names the one that is not set.
    for (const [path, value] of secrets) {
      const parsed = secret().safeParse(value);
      for (const { message } of parsed.error?.issues ?? []) context.addIssue({ code: "custom", path, message });
    }
  });

// A URL given here by mistake may hold a password.
const expected = mustUnshown('link({ … }) of "gen-api/link" or nats({ … }) of "gen-api/nats"');

/** The schema of a transport; the transport reports the faults of its own options. */
export const clusterSchema = z.custom<NodeTransport>(
  (value) => typeof (value as NodeTransport | null)?.openGateway === "function",
  { error: expected },
);
