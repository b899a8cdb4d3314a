import type { PhoenixChannel, PhoenixPush, PhoenixSocket } from "gen-api/client";

type Listener = (payload?: unknown, ref?: unknown) => void;

interface Sent {
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly ref: string | null;
}

/** A socket with one channel, of which a test says what happens to it. */
export class FakeSocket implements PhoenixSocket {
  readonly sent: Sent[] = [];
  isOpen = false;
  /** How often it was told to connect. */
  connects = 0;
  readonly #listeners = new Map<string, Listener>();

  /** The channel is joined, over a socket that is open. */
  join(): void {
    this.isOpen = true;
    this.#listeners.get("ok")?.({});
  }

  /** The channel gets this event. */
  receive(event: string, payload: unknown, ref: string | null = null): void {
    this.#listeners.get(event)?.(payload, ref);
  }

  connect(): void {
    this.connects++;
  }

  disconnect(): void {
    this.isOpen = false;
  }

  isConnected(): boolean {
    return this.isOpen;
  }

  channel(topic: string): PhoenixChannel {
    const listen = (event: string, listener: Listener) => {
      this.#listeners.set(event, listener);
      return 1;
    };
    const push: PhoenixPush = {
      send: () => undefined,
      resend: () => undefined,
      receive: (status, listener) => {
        listen(status, listener);
        return push;
      },
    };
    return {
      state: "joining",
      topic,
      join: () => push,
      leave: () => push,
      push: () => push,
      onClose: (listener) => listen("phx_close", listener as Listener),
      onError: (listener) => listen("phx_error", listener),
      onMessage: (_event, payload) => payload,
      on: listen,
      off: (event) => void this.#listeners.delete(event),
    };
  }

  push(message: object): void {
    this.sent.push(message as Sent);
  }

  onOpen(): string {
    return "open";
  }

  onClose(): string {
    return "close";
  }

  onError(): string {
    return "error";
  }

  off(): void {
    this.#listeners.clear();
  }
}
