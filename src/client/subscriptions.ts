import type { PhoenixChannel, PhoenixSocket } from "./phoenix-socket.ts";

/** One use of a topic that the client has joined to hear what is pushed there. */
export interface Subscription {
  /** The official client's channel; all subscriptions to one topic share it. */
  readonly channel: PhoenixChannel;
  /**
   * Calls `listener` with the payload of every message of this event, also after the topic was joined anew.
   * @returns what removes the listener
   */
  on<Payload = unknown>(event: string, listener: (payload: Payload) => void): () => void;
  /** Removes its listeners; the last to leave a topic leaves its channel. */
  leave(): void;
}

interface SharedChannel {
  readonly channel: PhoenixChannel;
  uses: number;
}

/** The topics that a client has joined beside its own. The official client can join a topic only once on a socket. */
export class Subscriptions {
  readonly #socket: PhoenixSocket;
  readonly #own: PhoenixChannel;
  readonly #shared = new Map<string, SharedChannel>();

  /** @param own the client's own channel, which no subscription leaves */
  constructor(socket: PhoenixSocket, own: PhoenixChannel) {
    this.#socket = socket;
    this.#own = own;
    this.#shared.set(own.topic, { channel: own, uses: 1 });
  }

  /** @param params the payload of the join, if it is the first of its topic */
  subscribe(topic: string, params: object = {}): Subscription {
    const shared = this.#shared.get(topic) ?? this.#join(topic, params);
    shared.uses++;
    const { channel } = shared;
    const offs = new Set<() => void>();
    let isLeft = false;
    return {
      channel,
      on: (event, listener) => {
        const ref = channel.on(event, (payload) => listener(payload as never));
        const off = () => {
          offs.delete(off);
          channel.off(event, ref);
        };
        offs.add(off);
        return off;
      },
      leave: () => {
        for (const off of offs) off();
        if (!isLeft && --shared.uses === 0) channel.leave();
        isLeft = true;
      },
    };
  }

  /** Leaves all topics but the client's own. */
  close(): void {
    for (const { channel } of [...this.#shared.values()]) if (channel !== this.#own) channel.leave();
  }

  #join(topic: string, params: object): SharedChannel {
    const channel = this.#socket.channel(topic, params);
    const shared = { channel, uses: 0 };
    this.#shared.set(topic, shared);
    // Ended for good, by whomever: the next subscription joins anew.
    channel.onClose(() => {
      if (this.#shared.get(topic) === shared) this.#shared.delete(topic);
    });
    channel.join();
    return shared;
  }
}
