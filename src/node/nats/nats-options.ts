import type { ConnectionOptions } from "@nats-io/transport-node";
import { z } from "zod";
import { described, faultsOf, must, mustUnshown, namesKeys } from "../../core/faults.ts";
import { isLoopbackHost } from "../../core/net/loopback.ts";
import { withoutSecrets } from "../../core/net/without-secrets.ts";
import { hostOfServer, isServer, serverForm } from "./server-url.ts";
import { bucketOf, defaultPrefix, Subjects } from "./subjects.ts";

/** The options of a transport over NATS; `user` to `tls` are those of `@nats-io/transport-node`. */
export interface NatsOptions extends Pick<ConnectionOptions, "user" | "pass" | "token" | "authenticator" | "tls"> {
  /**
   * Servers of one NATS system, such as `nats://10.0.0.5:4222`. If one of them has `tls://`, all connections require
   * TLS. Credentials belong in other options. @default "nats://127.0.0.1:4222"
   */
  readonly servers?: string | readonly string[];
  /** Prefix of all subjects: gateways and nodes with the same prefix find each other. @default "gen_api" */
  readonly prefix?: string;
  /**
   * Gateways only, and required there: the secret of at least 32 characters that signs everything they share in the
   * bucket. All gateways have the same secret; service nodes must not have it, because its owner can direct calls
   * anywhere.
   *
   * A list of at most 8 allows changing the secret without stopping all gateways: the first one signs, and signatures
   * by any of them are trusted.
   */
  readonly signingKey?: string | readonly string[];
  /**
   * Gateways only: the JetStream key-value bucket in which they share accepted pushes; created if missing. Letters,
   * digits, `_` and `-`. @default the prefix, with `--` for each of its dots
   */
  readonly bucket?: string;
  /**
   * Gateways only: the most pushes they share, one for each service and node. Withdrawn pushes do not count. 1 to 1 000
   * 000. @default 10_000
   */
  readonly maxEntries?: number;
  /**
   * Gateways only: how long their start waits for the bucket to be read, milliseconds, 0 to 60 000. Until it has been
   * read, unknown functions are `unavailable` and `/readyz` fails. @default 3000
   */
  readonly readTimeoutMs?: number;
  /** Gateways only: the number of servers that store the bucket, 1 to 5; used when it is created. @default 1 */
  readonly replicas?: number;
  /** Gateways only: how often they announce themselves to nodes, milliseconds, 100 to 60 000. @default 2000 */
  readonly announceMs?: number;
}

/** Valid {@link NatsOptions} with their defaults. */
export interface NatsSettings {
  readonly servers: readonly string[];
  /** Whether every server is on this machine. */
  readonly isLoopback: boolean;
  readonly subjects: Subjects;
  /** The first one signs. Empty on a service node. */
  readonly signingKeys: readonly [string, ...string[]];
  readonly bucket: string;
  readonly maxEntries: number;
  readonly readTimeoutMs: number;
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
  ).optional(),
  maxEntries: whole(1, 1_000_000).default(10_000),
  readTimeoutMs: whole(0, 60_000).default(3_000),
  replicas: whole(1, 5).default(1),
  announceMs: whole(100, 60_000).default(2_000),
});

/** Every fault of the options in either role, each beginning with its path. */
export function checkNatsOptions(options: NatsOptions): string[] {
  const parsed = z.object({ cluster: schema }).safeParse({ cluster: options }, namesKeys);
  return parsed.success ? [] : faultsOf(parsed.error);
}

/** The settings for valid options. */
export function natsSettings(options: NatsOptions): NatsSettings {
  const parsed = schema.parse(options);
  const { servers, prefix, signingKey, bucket, maxEntries, readTimeoutMs, replicas, announceMs, ...given } = parsed;
  const authentication = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  // Otherwise the client would go on without TLS if the server, or an attacker in between, does not offer it.
  if (servers.some((one) => one.startsWith("tls:"))) authentication.tls ??= {};
  return {
    servers,
    isLoopback: beyondLoopback(servers).length === 0,
    subjects: new Subjects(prefix),
    signingKeys: signingKey ?? [""],
    bucket: bucket ?? bucketOf(prefix),
    maxEntries,
    readTimeoutMs,
    replicas,
    announceMs,
    authentication,
  };
}

/** The hosts of the servers that are not on this machine. */
export function beyondLoopback(servers: readonly string[]): string[] {
  return servers.map(hostOfServer).filter((host) => !isLoopbackHost(host));
}

/** The NATS client's options: its servers and its credentials. */
export function connectionOptions({ servers, authentication, subjects }: NatsSettings): ConnectionOptions {
  return { ...authentication, servers: [...servers], inboxPrefix: subjects.inbox };
}

/** One key or a list. Faults never show a key, neither a right nor a wrong one. */
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
