import type { ServerOptions } from "node:https";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { z } from "zod";
import { messageOf, toError } from "../../core/errors.ts";
import { described, faultsError, faultsOf, must, mustUnshown, namesKeys } from "../../core/faults.ts";
import { isLoopbackHost } from "../../core/net/loopback.ts";
import { withoutSecrets } from "../../core/net/without-secrets.ts";
import type { RoleOptions } from "../node-transport.ts";

/** Limits that gateways and service nodes put on their links. */
interface LinkLimits {
  /** The longest message accepted; a longer one closes only its own link. Bytes. @default 67_108_864 */
  readonly maxMessageBytes?: number;
  /** The most frames of one message. @default 4_096 */
  readonly maxFragments?: number;
  /** The most pieces, as the network delivers them, of an incomplete message. @default 131_072 */
  readonly maxBufferedChunks?: number;
}

/** A port of its own, on which a gateway accepts links. */
export interface LinkListenOptions {
  /**
   * The address to listen on; an address beyond this machine needs a `pushToken`, and TLS or `insecure`. @default
   * "127.0.0.1"
   */
  readonly host?: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
  /**
   * The options of `https.createServer`: `cert` and `key`, and for mutual TLS `ca`, `requestCert: true` and
   * `rejectUnauthorized: true`.
   * @default none: no TLS
   */
  readonly tls?: ServerOptions;
}

/** A gateway's side of direct links. */
export interface GatewayLinkOptions extends LinkLimits {
  /** The path of the WebSocket. @default "/node" */
  readonly path?: string;
  /** A port of its own. @default none: nodes connect where clients do */
  readonly listen?: LinkListenOptions;
  /**
   * Allows nodes on other machines to connect without TLS: for private networks that no third party can read. @default
   * false
   */
  readonly insecure?: boolean;
  /** The most connections of service nodes. @default 1_000 */
  readonly maxConnections?: number;
  /** The most connections that have not proven their identity, from one address or IPv6 network (/64). @default 64 */
  readonly maxUnprovenPerAddress?: number;
}

/** A service node's TLS settings, beside Node's own trust store. */
export type NodeTlsOptions = Pick<SecureContextOptions, "ca" | "cert" | "key" | "passphrase"> & {
  /** The name in the gateways' certificates. @default each URL's host */
  readonly servername?: string;
};

/** A service node's side of direct links. */
export interface NodeLinkOptions extends LinkLimits {
  /** URLs of the gateways: `ws://` on this machine, otherwise `wss://`. */
  readonly gateways: readonly string[];
  /** TLS settings for gateways with `wss://`. @default Node's own trust store */
  readonly tls?: NodeTlsOptions;
  /**
   * Allows connecting to gateways on other machines without TLS: for private networks that no third party can read.
   * @default false
   */
  readonly insecure?: boolean;
  /** How long to wait for a gateway's answer, milliseconds. @default 10_000 */
  readonly connectTimeoutMs?: number;
}

/** `Own` without any property that only `Other` has: an option of the wrong side does not compile. */
type Without<Own, Other> = Own & { readonly [Key in Exclude<keyof Other, keyof Own>]?: never };

/** The options of a link: a gateway's or a service node's, never both. */
export type LinkOptions = Without<GatewayLinkOptions, NodeLinkOptions> | Without<NodeLinkOptions, GatewayLinkOptions>;

const positive = described(z.int().min(1), "a whole number of at least 1");
const port = described(z.int().min(0).max(65_535), "a port from 0 to 65535");
const flag = z.boolean({ error: must("true or false") });
const text = z.string({ error: must("a non-empty string") }).min(1, { error: must("a non-empty string") });

const limits = {
  maxMessageBytes: positive.default(64 * 1024 * 1024),
  // Proxies that split messages make pieces of 16 KiB or more.
  maxFragments: positive.default(4_096),
  // Pieces of half a kilobyte, smaller than the smallest packet of any network.
  maxBufferedChunks: positive.default(131_072),
};

const path = z.string({ error: must('a path such as "/node"') }).regex(/^\/[^?#\s]*$/, {
  error: must('a path such as "/node"'),
});

const gatewaySchema = z.strictObject({
  ...limits,
  path: path.default("/node"),
  listen: z
    .strictObject({ host: text.default("127.0.0.1"), port, tls: tlsSchema<ServerOptions>().optional() })
    .optional(),
  insecure: flag.default(false),
  maxConnections: positive.default(1_000),
  maxUnprovenPerAddress: positive.default(64),
});

const nodeSchema = z.strictObject({
  ...limits,
  gateways: z
    .array(z.string({ error: must("a ws:// or wss:// URL") }).superRefine(checkUrl), {
      error: must("a list of the gateways' URLs"),
    })
    .min(1, { error: "must name at least one gateway" })
    .max(100, { error: "must name at most 100 gateways" })
    .superRefine(checkDistinct),
  tls: tlsSchema<NodeTlsOptions>().optional(),
  insecure: flag.default(false),
  connectTimeoutMs: positive.default(10_000),
});

/** {@link GatewayLinkOptions}, checked and with every default in place. */
export type ResolvedGatewayLink = z.output<typeof gatewaySchema>;

/** {@link NodeLinkOptions}, checked and with every default in place. */
export type ResolvedNodeLink = z.output<typeof nodeSchema>;

/** The faults of a gateway's link options, by path. */
export function gatewayLinkFaults(options: unknown, role: RoleOptions): readonly string[] {
  const parsed = parse(gatewaySchema, options);
  if (!parsed.success) return faultsOf(parsed.error);
  const { listen, insecure } = parsed.data.cluster;
  if (listen === undefined || isLoopbackHost(listen.host)) return [];
  const { host, tls } = listen;
  const faults = [];
  if (!role.hasToken) faults.push(hostFault("without a pushToken", host));
  if (tls === undefined && !insecure)
    faults.push(hostFault("without cluster.listen.tls or cluster.insecure: true", host));
  return faults;
}

/** The faults of a service node's link options, by path. */
export function nodeLinkFaults(options: unknown, role: RoleOptions): readonly string[] {
  const parsed = parse(nodeSchema, options);
  if (!parsed.success) return faultsOf(parsed.error);
  const { gateways, insecure } = parsed.data.cluster;
  return gateways.flatMap((url, index) => {
    const { protocol, hostname } = new URL(url);
    if (isLoopbackHost(hostname)) return [];
    const faults = [];
    if (!role.hasToken) {
      faults.push(`cluster.gateways[${index}] must be on this machine without a pushToken, got ${JSON.stringify(url)}`);
    }
    if (protocol === "ws:" && !insecure) {
      faults.push(
        `cluster.gateways[${index}] must be a wss:// URL, or on this machine, without cluster.insecure: true, ` +
          `got ${JSON.stringify(url)}`,
      );
    }
    return faults;
  });
}

/** @throws GenApiError `invalid_option` with every fault by its path */
export function resolveGatewayLink(options: unknown): ResolvedGatewayLink {
  const parsed = parse(gatewaySchema, options);
  if (parsed.success) return parsed.data.cluster;
  throw faultsError("invalid_option", "Invalid options of link", faultsOf(parsed.error));
}

/** @throws GenApiError `invalid_option` with every fault by its path */
export function resolveNodeLink(options: unknown): ResolvedNodeLink {
  const parsed = parse(nodeSchema, options);
  if (parsed.success) return parsed.data.cluster;
  throw faultsError("invalid_option", "Invalid options of link", faultsOf(parsed.error));
}

/** Parses the options under the name of the option that holds the link, so that every fault's path begins with it. */
function parse<Schema extends z.ZodType>(schema: Schema, options: unknown) {
  return z.object({ cluster: schema }).safeParse({ cluster: options }, namesKeys);
}

function hostFault(without: string, host: string): string {
  return `cluster.listen.host must be a loopback address ${without}, got ${JSON.stringify(host)}`;
}

function checkUrl(url: string, context: z.RefinementCtx): void {
  const fault = urlFault(url);
  if (fault !== undefined) context.addIssue({ code: "custom", message: must(fault)({ input: withoutSecrets(url) }) });
}

function urlFault(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "ws:" && parsed?.protocol !== "wss:") return "a ws:// or wss:// URL";
  const { username, password } = parsed;
  const hasMore = username !== "" || password !== "" || /[?#]/.test(url);
  return hasMore ? "a URL without credentials, query or fragment" : undefined;
}

function checkDistinct(urls: readonly string[], context: z.RefinementCtx): void {
  const known = new Set<string>();
  for (const [index, url] of urls.entries()) {
    const href = URL.canParse(url) ? new URL(url).href : url;
    if (known.has(href)) {
      const message = `must be another gateway, got ${JSON.stringify(withoutSecrets(url))} again`;
      context.addIssue({ code: "custom", path: [index], message });
    }
    known.add(href);
  }
}

/** TLS options that Node can use: an unreadable certificate or key is reported here, not at every connection. */
function tlsSchema<Options extends SecureContextOptions>() {
  return z
    .custom<Options>((value) => typeof value === "object" && value !== null, {
      error: mustUnshown("options of Node's tls"),
    })
    .superRefine((value, context) => {
      try {
        createSecureContext(value);
      } catch (thrown) {
        context.addIssue({ code: "custom", message: `cannot be used: ${messageOf(toError(thrown))}` });
      }
    });
}
