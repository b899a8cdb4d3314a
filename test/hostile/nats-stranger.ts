import { connect, type Msg, type NatsConnection } from "@nats-io/transport-node";

/** How a stranger addresses what it publishes. */
export type Manner =
  | "without a reply subject"
  | "with a reply subject"
  | "as the node's next message"
  | "as the gateway's";

/** Someone on a NATS server without permissions, who hears all that gateways and nodes say and may say anything. */
export class NatsStranger implements AsyncDisposable {
  readonly #connection: NatsConnection;
  /** The reply subject of the last message on each subject, "" where it had none. */
  readonly #heard = new Map<string, string>();

  private constructor(connection: NatsConnection) {
    this.#connection = connection;
    const callback = (_: Error | null, { subject, reply = "" }: Msg) => void this.#heard.set(subject, reply);
    connection.subscribe(">", { callback });
  }

  /** Only what is said from now on is heard. */
  static async connect(servers: string): Promise<NatsStranger> {
    const stranger = new NatsStranger(await connect({ servers, noEcho: true, reconnect: false }));
    await stranger.#connection.flush();
    return stranger;
  }

  /** All that gateways and nodes were heard to be told something on, and of the answers to them the last. */
  get subjects(): readonly string[] {
    const subjects = [...this.#heard.keys()].filter((subject) => /^gen_api\.|^\$KV\./.test(subject));
    // Answers have a subject each.
    const inboxes = subjects.filter((subject) => subject.startsWith("gen_api.inbox."));
    const old = new Set(inboxes.slice(0, -5));
    return subjects.filter((subject) => !old.has(subject));
  }

  /** Publishes it, so many times, on every subject that the manner fits. @returns on which */
  async publish(message: string | Uint8Array, manner: Manner, times = 1): Promise<readonly string[]> {
    const published: string[] = [];
    for (const subject of this.subjects) {
      const reply = replyOf(subject, this.#heard.get(subject) ?? "", manner);
      if (reply === null) continue;
      published.push(subject);
      for (let sent = 0; sent < times; sent++)
        this.#connection.publish(subject, message, reply === "" ? {} : { reply });
    }
    await this.#connection.flush();
    return published;
  }

  /** Forgets pipes, all but those that something is said on from now on: most have ended. */
  forgetPipes(): void {
    for (const subject of this.#heard.keys()) if (subject.endsWith(".m")) this.#heard.delete(subject);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}

/** The reply subject of a hostile message; null where the manner fits no message of this subject. */
function replyOf(subject: string, last: string, manner: Manner): string | null {
  if (manner === "without a reply subject") return "";
  if (manner === "with a reply subject") return "a.stranger";
  // Messages of a pipe are numbered by the last token.
  if (!subject.startsWith(manner === "as the gateway's" ? "gen_api.down." : "gen_api.up.")) return null;
  const at = last.lastIndexOf(".") + 1;
  return /^\d+$/.test(last.slice(at)) ? `${last.slice(0, at)}${Number(last.slice(at)) + 1}` : null;
}
