import type { ConnectionOptions } from "@nats-io/transport-node";
import { z } from "zod";
import { described, faultsOf, must, mustUnshown } from "../../core/faults.ts";
import { isLoopbackHost } from "../../core/loopback.ts";
import { withoutSecrets } from "../../core/without-secrets.ts";
import { hostOfServer, isServer, serverForm } from "./server-url.ts";
import { defaultBucket, defaultPrefix, Subjects } from "./subjects.ts";

/** The options of a transport over NATS; `user` to `tls` are those of `@nats-io/transport-node`. */
export interface NatsOptions extends Pick<ConnectionOptions, "user" | "pass" | "token" | "authenticator" | "tls"> {
  /**
   * Servers of one NATS system, such as `nats://10.0.0.5:4222`; with `tls://` nothing is said without TLS, to none of
   * them. Credentials are other options. @default "nats://127.0.0.1:4222"
   */
  readonly servers?: string | readonly string[];
  /** What all subjects begin with: gateways and nodes of one prefix meet. @default "gen_api" */
  readonly prefix?: string;
  /**
   * Gateways only, and required of them: the secret, at least 32 characters, with which they sign what they share in
   * the bucket. All gateways have the same one, service nodes never: who has it can direct calls anywhere.
   *
   * A list, of 8 at most, changes it without stopping all gateways: the first signs, and what any of them signed is
   * believed.
   */
  readonly signingKey?: string | readonly string[];
  /** Gateways only: the JetStream key-value bucket in which they share accepted pushes; made if missing. @default "gen_api" */
  readonly bucket?: string;
  /** Gateways only: how many servers keep the bucket, 1 to 5, when it is made. @default 1 */
  readonly replicas?: number;
  /** Gateways only: how often they tell nodes that they are there, milliseconds, 100 to 60 000. @default 2000 */
  readonly announceMs?: number;
}

/** {@link NatsOptions} without faults, with defaults. */
export interface NatsSettings {
  readonly servers: readonly string[];
  /** Whether every server is on this machine. */
  readonly isLoopback: boolean;
  readonly subjects: Subjects;
  /** The first signs. A service node's are empty. */
  readonly signingKeys: readonly [string, ...string[]];
  readonly bucket: string;
  readonly replicas: number;
  readonly announceMs: number;
  readonly authentication: Pick<ConnectionOptions, "user" | "pass" | "token" | "authenticator" | "tls">;
}

const text = z.string({ error: mustUnshown("a string") });
const oneServer = described(z.string().refine(isServer), serverForm, ({ input }) =>
  must(serverForm)({ input: typeof input === "string" ? withoutSecrets(input) : input }),
);
const someServers = { error: must("a server, or a list of at least one") };
const whole = (min: number, max: number) =>
  described(z.int().min(min).max(max), `a whole number from ${min} to ${max}`);
const isAuthenticator = (value: unknown) => [value].flat().every((one) => typeof one === "function");
const maxSigningKeys = 8;
const prefixPattern = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,3}$/;

const schema = z.strictObject({
  servers: z
    .preprocess(
      (value) => (typeof value === "string" ? [value] : value),
      z.array(oneServer, someServers).min(1, someServers),
    )
    .default(["nats://127.0.0.1:4222"]),
  user: text.optional(),
  pass: text.optional(),
  token: text.optional(),
  authenticator: z
    .custom<ConnectionOptions["authenticator"]>(isAuthenticator, {
      error: mustUnshown("an authenticator of @nats-io/transport-node, or a list of them"),
    })
    .optional(),
  tls: z
    .custom<NonNullable<ConnectionOptions["tls"]>>((value) => typeof value === "object" && value !== null, {
      error: mustUnshown("the TLS options of @nats-io/transport-node"),
    })
    .optional(),
  prefix: described(
    z.string().max(100).regex(prefixPattern),
    "one to four words of letters, digits, _ and -, with dots between",
  ).default(defaultPrefix),
  signingKey: z.unknown().transform(checkSigningKeys).optional(),
  bucket: described(
    z
      .string()
      .max(100)
      .regex(/^[A-Za-z0-9_-]+$/),
    "letters, digits, _ and -",
  ).default(defaultBucket),
  replicas: whole(1, 5).default(1),
  announceMs: whole(100, 60_000).default(2_000),
});

/** Every fault of the options, whatever the role, each beginning with its path. */
export function checkNatsOptions(options: NatsOptions): string[] {
  const parsed = z.object({ cluster: schema }).safeParse({ cluster: options });
  return parsed.success ? [] : faultsOf(parsed.error);
}

/** The settings that faultless options make. */
export function natsSettings(options: NatsOptions): NatsSettings {
  const { servers, prefix, signingKey, bucket, replicas, announceMs, ...given } = schema.parse(options);
  const authentication = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  // The client would speak without TLS where the server, or somebody in between, does not offer it.
  if (servers.some((one) => one.startsWith("tls:"))) authentication.tls ??= {};
  return {
    servers,
    isLoopback: beyondLoopback(servers).length === 0,
    subjects: new Subjects(prefix),
    signingKeys: signingKey ?? [""],
    bucket,
    replicas,
    announceMs,
    authentication,
  };
}

/** The hosts of those servers that are not on this machine. */
export function beyondLoopback(servers: readonly string[]): string[] {
  return servers.map(hostOfServer).filter((host) => !isLoopbackHost(host));
}

/** What the NATS client is told of the servers and of who connects. */
export function connectionOptions({ servers, authentication, subjects }: NatsSettings): ConnectionOptions {
  return { ...authentication, servers: [...servers], inboxPrefix: subjects.inbox };
}

/** One or a list. Never shown, neither a right one nor a wrong one. */
function checkSigningKeys(value: unknown, context: z.RefinementCtx): readonly [string, ...string[]] {
  const isList = Array.isArray(value);
  const keys: unknown[] = isList ? value : [value];
  if (keys.length < 1 || keys.length > maxSigningKeys) {
    context.addIssue({ code: "custom", message: `must be a string, or a list of one to ${maxSigningKeys}` });
  }
  for (const [index, key] of keys.entries()) {
    const path = isList ? [index] : [];
    if (typeof key !== "string") context.addIssue({ code: "custom", path, message: "must be a string" });
    else if (key.length < 32) {
      context.addIssue({ code: "custom", path, message: "must be at least 32 characters long" });
    }
  }
  return keys as [string, ...string[]];
}
