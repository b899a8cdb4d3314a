import { decodeName, encodeName } from "../wire/name-token.ts";

/**
 * The subjects between gateways and service nodes. Names in them are encoded, so that a name can be any text and never
 * acts as a wildcard. Instances and sessions are random and new for every connection to NATS.
 *
 * - A node publishes only to `<prefix>.up.<node>.>`, and listens only to `<prefix>.down.<node>.>` and
 *   `<prefix>.gateways`. A gateway therefore knows the sender by the subject, and no node can read another node's
 *   messages.
 * - Gateways speak to each other under `<prefix>.peers`, where no node may publish or listen.
 * - An instance or session that has ended has no subscription, so the server itself reports that there is no listener.
 */
export class Subjects {
  readonly #prefix: string;

  /** @param prefix one or more tokens, such as "gen_api" */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Gateways announce themselves to all nodes here. */
  get gateways(): string {
    return `${this.#prefix}.gateways`;
  }

  /** Answers of the server and of JetStream to gateways arrive here. */
  get inbox(): string {
    return `${this.#prefix}.inbox`;
  }

  /** `node` looks for gateways here; without a node, the wildcard for all nodes. */
  discover(node?: string): string {
    return `${this.#prefix}.up.${tokenOrAny(node)}.discover`;
  }

  /** A gateway announces itself to one process of `node` here. */
  gatewayFor(node: string, nodeInstance: string): string {
    return `${this.#prefix}.down.${encodeName(node)}.${nodeInstance}.gateway`;
  }

  /** `node` asks a gateway to open a pipe here; without a node, the wildcard for all nodes. */
  open(gatewayInstance: string, node?: string): string {
    return `${this.#prefix}.up.${tokenOrAny(node)}.${gatewayInstance}.open`;
  }

  /** Another gateway asks the one of this address to open a pipe here. */
  openPeer(address: string): string {
    return `${this.#prefix}.peers.${address}.open`;
  }

  /** The subject on which the gateway of this address receives from another one, without the last token. */
  peer(address: string, session: string): string {
    return `${this.#prefix}.peers.${address}.${session}`;
  }

  /** Gateways that stop for good say so to all others here. */
  get peerGone(): string {
    return `${this.#prefix}.peers.gone`;
  }

  /** The subject on which a gateway receives from one pipe, without the last token. */
  up(node: string, gatewayInstance: string, session: string): string {
    return `${this.#prefix}.up.${encodeName(node)}.${gatewayInstance}.${session}`;
  }

  /** The subject on which a node receives from one pipe, without the last token. */
  down(node: string, nodeInstance: string, session: string): string {
    return `${this.#prefix}.down.${encodeName(node)}.${nodeInstance}.${session}`;
  }

  /** The node that published to a subject reserved for it; null for any other subject. */
  senderOf(subject: string): string | null {
    const start = `${this.#prefix}.up.`;
    if (!subject.startsWith(start)) return null;
    const end = subject.indexOf(".", start.length);
    return end === -1 ? null : decodeName(subject.slice(start.length, end));
  }
}

/** The least permissions that a role needs, and the most it should get, in the terms of nats-server's configuration. */
export interface NatsPermissions {
  /** Subjects to publish to. */
  readonly publish: readonly string[];
  /** Subjects to subscribe to. */
  readonly subscribe: readonly string[];
}

/** The permissions of the service node `name`: no access to other nodes' subjects or to the bucket. */
export function nodePermissions(name: string, prefix = defaultPrefix): NatsPermissions {
  const token = encodeName(name);
  return {
    publish: [`${prefix}.up.${token}.>`],
    subscribe: [`${prefix}.down.${token}.>`, `${prefix}.gateways`],
  };
}

/** The permissions of every gateway. */
export function gatewayPermissions(prefix = defaultPrefix, bucket = bucketOf(prefix)): NatsPermissions {
  const stream = streamOf(bucket);
  const claims = claimBucketOf(bucket);
  const claimStream = streamOf(claims);
  return {
    publish: [
      `${prefix}.down.>`,
      `${prefix}.gateways`,
      `${prefix}.peers.>`,
      `$JS.API.STREAM.INFO.${stream}`,
      `$JS.API.STREAM.CREATE.${stream}`,
      `$JS.API.STREAM.PURGE.${stream}`,
      `$JS.API.STREAM.MSG.GET.${stream}`,
      `$JS.API.CONSUMER.*.${stream}.>`,
      `$JS.FC.${stream}.>`,
      `$KV.${bucket}.>`,
      `$JS.API.STREAM.INFO.${claimStream}`,
      `$JS.API.STREAM.CREATE.${claimStream}`,
      `$JS.API.STREAM.MSG.GET.${claimStream}`,
      `$KV.${claims}.>`,
    ],
    subscribe: [`${prefix}.up.>`, `${prefix}.peers.>`, `${prefix}.inbox.>`],
  };
}

/** The default of the option `prefix`. */
export const defaultPrefix = "gen_api";

/** The default of the option `bucket`, which cannot contain dots. Different prefixes give different buckets. */
export const bucketOf = (prefix: string): string => prefix.replaceAll(".", "--");

/** The bucket in which gateways claim keys, beside the one with what they share. */
export const claimBucketOf = (bucket: string): string => `${bucket}--claims`;

/** The JetStream stream that holds a key-value bucket. */
export const streamOf = (bucket: string): string => `KV_${bucket}`;

/**
 * Whether `text` can be the instance or session of a subject: checked before a value from a message becomes part of a
 * subject.
 */
export function isInstance(text: unknown): text is string {
  return typeof text === "string" && instancePattern.test(text);
}

const instancePattern = /^[A-Za-z0-9_-]{16,32}$/;

const tokenOrAny = (name: string | undefined): string => (name === undefined ? "*" : encodeName(name));
