import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { type AcceptedPush, acceptedPushSchema } from "../../sync/push/push.ts";
import { decodeName, encodeName } from "../wire/name-token.ts";

/**
 * What a bucket keeps for one node and service: an entry, signed by a gateway, and the push itself in parts whose
 * hashes are in the entry. An entry without parts means that the push was withdrawn: the bucket's own deletion carries
 * no signature and is therefore not trusted.
 */
export interface SharedEntry {
  /** Grows with every change of a key, which shows that another entry is older. Milliseconds since 1970, or more. */
  readonly stamp: number;
  /** The SHA-256 of the whole push; null for a withdrawal. */
  readonly digest: string | null;
  /** The SHA-256 of every part, in order. */
  readonly parts: readonly string[];
}

/** A push as it is kept: its text cut into parts. */
export interface PushContent {
  readonly digest: string;
  readonly parts: readonly Uint8Array[];
}

/** The largest push that is shared, bytes of its JSON. */
export const maxContentBytes = 32 * 1024 * 1024;

/** Signs and checks the entries of one bucket. */
export class EntrySigner {
  readonly #signingKeys: readonly [string, ...string[]];
  readonly #bucket: string;

  /** @param signingKeys the first one signs; signatures by any of them are trusted */
  constructor(signingKeys: readonly [string, ...string[]], bucket: string) {
    this.#signingKeys = signingKeys;
    this.#bucket = bucket;
  }

  /** The value to keep under `key`. */
  sign(key: string, { stamp, digest, parts }: SharedEntry): Uint8Array {
    const body = JSON.stringify({ stamp, digest, parts });
    return Buffer.from(`${this.#macOf(this.#signingKeys[0], key, body).toString("base64url")}\n${body}`, "utf8");
  }

  /** The entry that a gateway kept under `key`; as text, why the value is invalid. */
  verify(key: string, value: Uint8Array): SharedEntry | string {
    const text = Buffer.from(value).toString("utf8");
    const end = text.indexOf("\n");
    const mac = Buffer.from(text.slice(0, Math.max(end, 0)), "base64url");
    const body = text.slice(end + 1);
    const isMacOf = (signingKey: string) => {
      const expected = this.#macOf(signingKey, key, body);
      return mac.length === expected.length && timingSafeEqual(mac, expected);
    };
    if (!this.#signingKeys.some(isMacOf)) {
      return "it does not carry the signature of a gateway for this key";
    }
    const parsed = entrySchema.safeParse(jsonOf(body));
    return parsed.success ? parsed.data : "it is not an entry of this version of gen-api";
  }

  #macOf(signingKey: string, key: string, body: string): Buffer {
    const signed = `gen-api shared push\n${this.#bucket}\n${key}\n${body}`;
    return createHmac("sha256", signingKey).update(signed).digest();
  }
}

/** Whether `entry` replaces `other`. Of two with the same stamp, every gateway must prefer the same. */
export function isNewer(entry: SharedEntry, other: SharedEntry): boolean {
  if (entry.stamp !== other.stamp) return entry.stamp > other.stamp;
  return (entry.digest ?? "") > (other.digest ?? "");
}

/** Whether both mean the same. */
export const isSame = (entry: SharedEntry, other: SharedEntry): boolean =>
  entry.stamp === other.stamp && entry.digest === other.digest;

/** A push cut into parts of at most `maxPartBytes`. */
export function contentOf(push: AcceptedPush, maxPartBytes: number): PushContent {
  // Field by field in a fixed order: the same push has the same digest, whichever gateway puts it.
  const { service, node, configVersion, functions, pull, count, functionsHash } = push;
  const content = { service, node, configVersion, functions, pull, count, functionsHash };
  const bytes = Buffer.from(JSON.stringify(content), "utf8");
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += maxPartBytes) parts.push(bytes.subarray(at, at + maxPartBytes));
  return { digest: sha256(bytes), parts };
}

/** The entry for a push's content. */
export function entryOf({ digest, parts }: PushContent, stamp: number): SharedEntry {
  return { stamp, digest, parts: parts.map(sha256) };
}

/** The push of `entry`, from its parts; as text, why they do not form one. */
export function pushOf(key: string, entry: SharedEntry, parts: readonly Uint8Array[]): AcceptedPush | string {
  if (parts.length !== entry.parts.length) return `it has ${entry.parts.length} parts, ${parts.length} are there`;
  const changed = parts.findIndex((part, place) => sha256(part) !== entry.parts[place]);
  if (changed !== -1) return `part ${changed} is not what the entry was signed for`;
  const bytes = Buffer.concat(parts);
  if (sha256(bytes) !== entry.digest) return "its parts are not what the entry was signed for";
  const parsed = acceptedPushSchema.safeParse(jsonOf(bytes.toString("utf8")));
  if (!parsed.success) return "its content is not a push";
  const { service, node } = parsed.data;
  return entryKey(service, node) === key ? (parsed.data as AcceptedPush) : "it belongs to another service or node";
}

/** The key of the entry for a service and a node. */
export const entryKey = (service: string, node: string): string =>
  `${entryPrefix}${encodeName(service)}.${encodeName(node)}`;

/** The prefix of all keys of entries. */
export const entryPrefix = "entry.";

/** The service and node of an entry's key; null for another key. */
export function ownerOf(key: string): { readonly service: string; readonly node: string } | null {
  const [kind, service = "", node = "", ...rest] = key.split(".");
  if (`${kind}.` !== entryPrefix || rest.length > 0) return null;
  const owner = { service: decodeName(service), node: decodeName(node) };
  return owner.service === null || owner.node === null ? null : { service: owner.service, node: owner.node };
}

/** The prefix of the keys of all parts of an entry. */
export const partsPrefix = (key: string): string => `part.${key.slice(entryPrefix.length)}.`;

/** The key of one part: other content, or a later entry, has other keys. */
export const partKey = (key: string, { stamp, digest }: SharedEntry, part: number): string =>
  `${partsPrefix(key)}${stamp}.${digest}.${part}`;

/** The stamp in a part's key; null for another key. */
export function stampOfPart(key: string): number | null {
  const stamp = /^part\.[\w-]+\.[\w-]+\.(\d{1,16})\.[\w-]+\.\d+$/.exec(key)?.[1];
  return stamp === undefined ? null : Number(stamp);
}

const hash = z.string().length(43);

const entrySchema = z.strictObject({
  stamp: z.int().min(0),
  digest: hash.nullable(),
  parts: z.array(hash).max(100_000),
});

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
