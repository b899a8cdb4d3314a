import { Socket } from "phoenix";
import { backoff } from "./backoff.ts";
import { GenApiError } from "./gen-api-error.ts";
import type { CallOptions, ClientOptions, ConnectOptions } from "./options.ts";
import type { PhoenixChannel, PhoenixSocket } from "./phoenix-socket.ts";
import { Requests } from "./requests.ts";
import type { Api } from "./service-api.ts";
import { type ServiceCall, serviceCall } from "./service-call.ts";
import { type Subscription, Subscriptions } from "./subscriptions.ts";
import { globalWebSocket, tokenSocket } from "./token-socket.ts";
import { type ClientStatus, type StatusListener, Uplink } from "./uplink.ts";

export { type FailureFields, GenApiError } from "./gen-api-error.ts";
export type { CallOptions, ClientOptions, ConnectOptions, RetryOptions, WebSocketClass } from "./options.ts";
export type { PhoenixChannel, PhoenixPush, PhoenixSocket } from "./phoenix-socket.ts";
export type { Api, Received, SentArgs } from "./service-api.ts";
export type { ServiceCall } from "./service-call.ts";
export type { Subscription } from "./subscriptions.ts";
export type { ClientStatus, StatusListener } from "./uplink.ts";

/** A client of a gateway: a channel over a Phoenix socket, on which it calls functions. */
export interface Client<Services extends object = readonly unknown[]> {
  /** The functions of the services: `await client.api.user_service.get_user({ user_id: "1" })`. */
  readonly api: Api<Services>;
  /** Calls a function by name: `await` the result, or loop over the chunks with `for await`. */
  call(service: string, requestType: string, args?: object, options?: CallOptions): ServiceCall;
  /** Whether calls go out at once, wait for the connection, or fail because the client has ended. */
  readonly status: ClientStatus;
  /**
   * Calls `listener` whenever the status, or the reason for it, changes; not with the present one.
   * @returns what removes the listener
   */
  onStatus(listener: StatusListener): () => void;
  /** The official client's channel. */
  readonly channel: PhoenixChannel;
  /** Joins a topic on the same socket, to hear what is pushed there; `params` are the payload of the join. */
  subscribe(topic: string, params?: object): Subscription;
  /** Ends the client. What is under way fails as `disconnected`, without `canRetry`; a socket that it was given stays. */
  close(): void;
}

const joinTimeoutMs = 10_000;

/**
 * Connects to a gateway. It returns at once: calls wait for the connection, and the client connects again for ever.
 *
 * ```ts
 * const client = connect<[typeof users]>("wss://example.com/socket", { authToken: () => token() });
 * const user = await client.api.user_service.get_user({ user_id: "1" });
 * ```
 *
 * @param url the gateway's `socket.path`, without `/websocket`; in a browser a path is enough
 * @throws GenApiError `invalid_option` for an address that is none, or where there is no class of WebSockets
 */
export function connect<Services extends object = readonly unknown[]>(
  url: string,
  options?: ConnectOptions,
): Client<Services>;
/**
 * A client on a socket of the official client that the program uses for other channels too. Its token, parameters and
 * times of reconnecting are the socket's own.
 */
export function connect<Services extends object = readonly unknown[]>(
  socket: PhoenixSocket,
  options?: ClientOptions,
): Client<Services>;
export function connect(target: string | PhoenixSocket, options: ConnectOptions = {}): Client {
  const isOwn = typeof target === "string";
  const socket = isOwn ? openSocket(target, options) : target;
  const event = options.event ?? "api";
  const requests = new Requests(event, options.waitMs ?? 10_000);
  const uplink = new Uplink(socket, options, event, requests);
  requests.attach(uplink);
  const subscriptions = new Subscriptions(socket, uplink.channel);
  const call: Client["call"] = (service, requestType, args = {}, callOptions = {}) => {
    const { retry = options.retry } = callOptions;
    return serviceCall(requests, service, requestType, args, { ...callOptions, retry });
  };
  return {
    api: byName((service) =>
      byName((requestType) => (args?: object, callOptions?: CallOptions) => {
        return call(service, requestType, args, callOptions);
      }),
    ) as Api<readonly unknown[]>,
    call,
    get status() {
      return uplink.status;
    },
    onStatus: (listener) => uplink.onStatus(listener),
    channel: uplink.channel,
    subscribe: (topic, params) => subscriptions.subscribe(topic, params),
    close: () => {
      subscriptions.close();
      uplink.close();
      if (isOwn) socket.disconnect();
    },
  };
}

function openSocket(url: string, options: ConnectOptions): PhoenixSocket {
  if (!/^(wss?:\/)?\//.test(url)) {
    throw new GenApiError("invalid_option", `The address must be like "wss://example.com/socket", got "${url}"`);
  }
  const { authToken, params, transport = globalWebSocket(), connectTimeoutMs = 10_000 } = options;
  return new Socket(url, {
    transport: tokenSocket(transport, authToken, connectTimeoutMs) as never,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 15_000,
    timeout: joinTimeoutMs,
    reconnectAfterMs: (tries) => backoff(tries, 100, 10_000),
    rejoinAfterMs: (tries) => backoff(tries, 500, 10_000),
    ...(params === undefined ? {} : { params: params as object }),
  });
}

/** An object that makes its properties when they are first read, by their names. */
function byName<Value>(make: (name: string) => Value): Readonly<Record<string, Value>> {
  return new Proxy<Record<string, Value>>(Object.create(null), {
    get(made, name) {
      // What looks for a promise, or for any symbol, is the language and not a caller.
      if (typeof name === "symbol" || name === "then") return undefined;
      made[name] ??= make(name);
      return made[name];
    },
  });
}
