/**
 * The subjects that gateways and service nodes speak on. Every name in them is encoded, so that any text can be one and
 * none can act as a wildcard; instances and sessions are random and drawn anew with every connection to NATS.
 *
 * - A node publishes to `<prefix>.up.<node>.>` alone, and listens to `<prefix>.down.<node>.>` and `<prefix>.gateways`
 *   alone. So a gateway knows by the subject who sent, and no node can read what another is sent.
 * - Where nobody listens the server itself says so: an instance or a session that has ended has no subscription.
 */
export class Subjects {
  readonly #prefix: string;

  /** @param prefix one or more tokens, such as "gen_api" */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Where gateways tell all nodes that they are there. */
  get gateways(): string {
    return `${this.#prefix}.gateways`;
  }

  /** Where the server's and JetStream's answers to gateways arrive. */
  get inbox(): string {
    return `${this.#prefix}.inbox`;
  }

  /** Where `node` asks which gateways are there; without a node, those of all nodes. */
  discover(node?: string): string {
    return `${this.#prefix}.up.${tokenOrAny(node)}.discover`;
  }

  /** Where a gateway tells one process of `node` that it is there. */
  gatewayFor(node: string, nodeInstance: string): string {
    return `${this.#prefix}.down.${encodeName(node)}.${nodeInstance}.gateway`;
  }

  /** Where `node` asks a gateway to open a pipe; without a node, those of all nodes. */
  open(gatewayInstance: string, node?: string): string {
    return `${this.#prefix}.up.${tokenOrAny(node)}.${gatewayInstance}.open`;
  }

  /** What a gateway hears of one pipe, without the last token. */
  up(node: string, gatewayInstance: string, session: string): string {
    return `${this.#prefix}.up.${encodeName(node)}.${gatewayInstance}.${session}`;
  }

  /** What a node hears of one pipe, without the last token. */
  down(node: string, nodeInstance: string, session: string): string {
    return `${this.#prefix}.down.${encodeName(node)}.${nodeInstance}.${session}`;
  }

  /** The node that published to a subject that only it can publish to; null where the subject is no such one. */
  senderOf(subject: string): string | null {
    const start = `${this.#prefix}.up.`;
    if (!subject.startsWith(start)) return null;
    const end = subject.indexOf(".", start.length);
    return end === -1 ? null : decodeName(subject.slice(start.length, end));
  }
}

/** What a role has to be allowed, and all that it should be, in the words of nats-server's configuration. */
export interface NatsPermissions {
  /** Subjects to publish to. */
  readonly publish: readonly string[];
  /** Subjects to subscribe to. */
  readonly subscribe: readonly string[];
}

/** The permissions of the service node `name`: nothing of another node's, and nothing of the bucket. */
export function nodePermissions(name: string, prefix = defaultPrefix): NatsPermissions {
  const token = encodeName(name);
  return {
    publish: [`${prefix}.up.${token}.>`],
    subscribe: [`${prefix}.down.${token}.>`, `${prefix}.gateways`],
  };
}

/** The permissions of every gateway. */
export function gatewayPermissions(prefix = defaultPrefix, bucket = defaultBucket): NatsPermissions {
  const stream = streamOf(bucket);
  return {
    publish: [
      `${prefix}.down.>`,
      `${prefix}.gateways`,
      `$JS.API.STREAM.INFO.${stream}`,
      `$JS.API.STREAM.CREATE.${stream}`,
      `$JS.API.STREAM.PURGE.${stream}`,
      `$JS.API.STREAM.MSG.GET.${stream}`,
      `$JS.API.CONSUMER.*.${stream}.>`,
      `$JS.FC.${stream}.>`,
      `$KV.${bucket}.>`,
    ],
    subscribe: [`${prefix}.up.>`, `${prefix}.inbox.>`],
  };
}

/** The default of the option `prefix`. */
export const defaultPrefix = "gen_api";

/** The default of the option `bucket`. */
export const defaultBucket = "gen_api";

/** The JetStream stream that holds a key-value bucket. */
export const streamOf = (bucket: string): string => `KV_${bucket}`;

/** A name as one token of a subject, or of a bucket's key. */
export function encodeName(name: string): string {
  return Buffer.from(name, "utf8").toString("base64url");
}

/** The name that {@link encodeName} made a token of; null for a token that it makes of none. */
export function decodeName(token: string): string | null {
  const name = Buffer.from(token, "base64url").toString("utf8");
  return name !== "" && encodeName(name) === token ? name : null;
}

/** Whether `text` can be the instance or session of a subject: what comes in a message is put into no subject unseen. */
export function isInstance(text: unknown): text is string {
  return typeof text === "string" && instancePattern.test(text);
}

const instancePattern = /^[A-Za-z0-9_-]{16,32}$/;

const tokenOrAny = (name: string | undefined): string => (name === undefined ? "*" : encodeName(name));
