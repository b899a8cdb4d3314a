import { disconnected, type GenApiError } from "./gen-api-error.ts";
import type { ClientOptions } from "./options.ts";
import type { PhoenixChannel, PhoenixSocket } from "./phoenix-socket.ts";

/**
 * Whether calls go out at once ("open") or wait for the connection and its join ("connecting"); "closed" is the end: the
 * client was closed, or the gateway closed its channel.
 */
export type ClientStatus = "connecting" | "open" | "closed";

/** Is told the status, and why it is not "open", if that is known. */
export type StatusListener = (status: ClientStatus, error: GenApiError | undefined) => void;

/** Is told what comes from the gateway. */
export interface UplinkListener {
  /** Whether anything waits to be sent, or to be answered. */
  readonly isWaiting: boolean;
  /** Requests can be sent. */
  onOpen(): void;
  /** Nothing that was sent will be answered any more. */
  onLost(error: GenApiError): void;
  /** The gateway refuses the join: what waits, waits in vain. */
  onRefused(error: GenApiError): void;
  /** A pushed payload of the channel's event. */
  onPush(payload: unknown): void;
  /** The reply to what was sent with this `ref`. */
  onReply(ref: unknown, reply: Reply): void;
}

/** The payload of `phx_reply`. */
export interface Reply {
  readonly status: string;
  readonly response: unknown;
}

// The next attempt may be accepted. (A gateway that drains refuses joins until it has closed the socket.)
const passing = ["draining", "join timed out", "join crashed", "too many joins under way"];

const watchMs = 1_000;

/** The way to the gateway: one channel, joined again whenever it is lost. */
export class Uplink {
  readonly channel: PhoenixChannel;
  readonly #socket: PhoenixSocket;
  readonly #listener: UplinkListener;
  readonly #statusListeners = new Set<StatusListener>();
  readonly #refs: string[];
  #status: ClientStatus = "connecting";
  #error: GenApiError | undefined;
  /** Runs while the status is "connecting". */
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(socket: PhoenixSocket, options: ClientOptions, event: string, listener: UplinkListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.channel = socket.channel(options.topic ?? "api:lobby", options.joinParams);
    this.channel.on(event, (payload) => listener.onPush(payload));
    // Every reply of the channel comes by here: the `receive` of a push would cost a listener and a timer for each call.
    this.channel.on("phx_reply", (payload, ref) => listener.onReply(ref, payload as Reply));
    this.channel.onError((reason) => this.#channelLost(reasonIn(reason)));
    this.channel.onClose(() => this.#end(disconnected("The gateway closed the channel", "channel_closed")));
    this.#refs = [
      socket.onClose(() => this.#lose(disconnected("The connection was lost", "connection_lost"))),
      socket.onError((cause) => this.#failed(cause)),
    ];
    this.channel
      .join()
      .receive("ok", () => this.#joined())
      .receive("error", (response) => this.#refused(reasonIn(response)));
    this.#startWatch();
    socket.connect();
  }

  get status(): ClientStatus {
    return this.#status;
  }

  /** Why the status is not "open". */
  get error(): GenApiError | undefined {
    return this.#error;
  }

  /** Whether the gateway takes requests now. */
  get isOpen(): boolean {
    return this.#status === "open" && this.#socket.isConnected();
  }

  /**
   * Sends an event on the channel; with a `ref`, the reply will have it. Without a socket it is lost: the official client
   * would keep it, and send it when nobody waits for it any more.
   */
  send(event: string, payload: object, ref: string | null): void {
    if (!this.#socket.isConnected()) return;
    this.#socket.push({ topic: this.channel.topic, event, payload, ref, join_ref: null });
  }

  /** @returns what removes the listener */
  onStatus(listener: StatusListener): () => void {
    // Each has an entry of its own, even if it is added twice.
    const entry: StatusListener = (status, error) => listener(status, error);
    this.#statusListeners.add(entry);
    return () => this.#statusListeners.delete(entry);
  }

  /** Ends it for good. */
  close(): void {
    if (this.#status === "closed") return;
    this.#end(disconnected("The client was closed", "closed", false));
    this.channel.leave();
  }

  #joined(): void {
    // What was sent before this join belonged to an earlier one.
    this.#lose(disconnected("The connection was lost", "connection_lost"));
    if (this.#status === "closed") return;
    this.#setStatus("open", undefined);
    this.#listener.onOpen();
  }

  #refused(reason: string): void {
    const error = disconnected(`The gateway refused the join: ${reason}`, reason, passing.includes(reason));
    this.#setStatus("connecting", error);
    if (!error.canRetry) this.#listener.onRefused(error);
  }

  /** @param reason of `phx_error`, or of the official client */
  #channelLost(reason: string): void {
    // A gateway that drains still answers what runs.
    if (reason === "draining") this.#setStatus("connecting", disconnected("The gateway is stopping", reason));
    else this.#lose(disconnected(`The connection was lost: ${reason}`, reason));
  }

  #startWatch(): void {
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      if (this.#socket.isConnected()) return;
      // That a socket is given up is not told to a channel that is lost already, as while its gateway drains.
      this.#lose(disconnected("The connection was lost", "connection_lost"));
      // In a page that is hidden the official client does not connect again by itself. (If it does, this does nothing.)
      if (this.#listener.isWaiting) this.#socket.connect();
    }, watchMs);
  }

  #failed(cause: unknown): void {
    if (this.#status === "open") return;
    const message = "No connection: there is no gateway at this address, or it refused the client";
    this.#setStatus("connecting", disconnected(message, "not_connected", true, cause));
  }

  #lose(error: GenApiError): void {
    if (this.#status === "closed") return;
    if (this.#status === "open") this.#setStatus("connecting", error);
    this.#listener.onLost(error);
  }

  #end(error: GenApiError): void {
    if (this.#status === "closed") return;
    this.#socket.off(this.#refs);
    this.#setStatus("closed", error);
    this.#listener.onLost(error);
    this.#listener.onRefused(error);
  }

  #setStatus(status: ClientStatus, error: GenApiError | undefined): void {
    if (this.#status === "closed") return;
    if (status !== "connecting") clearInterval(this.#watch);
    else if (this.#status === "open") this.#startWatch();
    this.#error = error;
    this.#status = status;
    for (const listener of this.#statusListeners) {
      // In a turn of their own: what a listener throws is its own, and not the official client's.
      queueMicrotask(() => {
        if (this.#statusListeners.has(listener)) listener(status, error);
      });
    }
  }
}

/** The word that a refusal or a loss has. */
function reasonIn(payload: unknown): string {
  const { reason } = (payload ?? {}) as { reason?: unknown };
  return typeof reason === "string" ? reason : "no reason was given";
}
