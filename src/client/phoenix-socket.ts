// The public surface of the official client, stated here so that hosts need no types of their own for it.

/** A push of the official client, and its reply. */
export interface PhoenixPush {
  /** Sends it. */
  send(): void;
  /** Sends it again, with another timeout in milliseconds. */
  resend(timeout: number): void;
  /** Calls `callback` when the reply has this status. */
  receive(status: "ok" | "error" | "timeout", callback: (response?: unknown) => unknown): this;
}

/** A channel of the official client. */
export interface PhoenixChannel {
  /** Where its join stands. */
  state: "closed" | "errored" | "joined" | "joining" | "leaving";
  /** What it joins. */
  topic: string;
  /** Joins the topic, and again after every loss. */
  join(timeout?: number): PhoenixPush;
  /** Leaves the topic. */
  leave(timeout?: number): PhoenixPush;
  /** Calls `callback` when the channel has ended for good. */
  onClose(callback: (payload: unknown, ref: unknown, joinRef: unknown) => void): number;
  /** Calls `callback` when the channel is lost, and will be joined again. */
  onError(callback: (reason?: unknown) => void): number;
  /** Sees every message first, and returns its payload. */
  onMessage(event: string, payload: unknown, ref: unknown): unknown;
  /** Calls `listener` with the payload of every message of this event. @returns a number for {@link off} */
  on(event: string, listener: (payload?: unknown, ref?: unknown) => void): number;
  /** Removes one listener of an event, or all. */
  off(event: string, ref?: number): void;
  /** Sends an event. */
  push(event: string, payload: object, timeout?: number): PhoenixPush;
}

/** A socket of the official client: what the client of gen-api needs of it. */
export interface PhoenixSocket {
  /** Opens it, unless it is open. */
  connect(): void;
  /** Closes it for good. */
  disconnect(): void;
  /** Whether it is open. */
  isConnected(): boolean;
  /** Makes a channel. */
  channel(topic: string, params?: object): PhoenixChannel;
  /** Sends a message. */
  push(message: object): void;
  /** Calls `callback` whenever it has opened. @returns a reference for {@link off} */
  onOpen(callback: () => void): string;
  /** Calls `callback` whenever it has closed. @returns a reference for {@link off} */
  onClose(callback: () => void): string;
  /** Calls `callback` whenever it has failed. @returns a reference for {@link off} */
  onError(callback: (error: unknown) => void): string;
  /** Removes callbacks. */
  off(refs: string[]): void;
}
