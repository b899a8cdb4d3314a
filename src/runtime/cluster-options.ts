import { z } from "zod";
import { described, mustUnshown } from "../core/faults.ts";
import type { PushToken } from "../node/push-token.ts";
import type { NodeTransport } from "../node/transport.ts";
import { secret, section } from "./option-schemas.ts";

/** How gateways and nodes find out that the other is gone though its socket is open; nodes are told by their gateway. */
export interface HeartbeatOptions {
  /** How often a sign of life is sent, milliseconds, from 10 to 600_000. @default 1_000 */
  readonly intervalMs?: number;
  /** How many may be missed, up to 1_000. @default 3 */
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
    if (secrets.length === 0) context.addIssue({ code: "custom", message: "must hold at least one secret" });
    // One by one: of several that come from the environment it is said which is not set.
    for (const [path, value] of secrets) {
      const parsed = secret().safeParse(value);
      for (const { message } of parsed.error?.issues ?? []) context.addIssue({ code: "custom", path, message });
    }
  });

// Whoever gives a URL in its place may have put a password into it.
const expected = mustUnshown('link({ … }) of "gen-api/link" or nats({ … }) of "gen-api/nats"');

/** The schema of a transport; what is wrong inside its own options it tells itself. */
export const clusterSchema = z.custom<NodeTransport>(
  (value) => typeof (value as NodeTransport | null)?.openGateway === "function",
  { error: expected },
);
