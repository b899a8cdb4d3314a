/** A value, or a promise of it. */
type Awaitable<Value> = Value | PromiseLike<Value>;

/** When calls are sent again. */
export interface RetryOptions {
  /** How often a call is sent in all, the first time included. @default 1 */
  readonly attempts: number;
}

/** Options of one call. */
export interface CallOptions {
  /** Ends the call when it aborts: the gateway cancels the function, and the call fails as `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the call may take in all, milliseconds: waiting for the connection, and every attempt. Then it fails as
   * `timeout`. @default no limit but the function's own
   */
  readonly timeoutMs?: number | undefined;
  /** The version of the function. @default the latest */
  readonly version?: string | undefined;
  /**
   * Whether the call may be sent again when its connection is lost before its result came: it gets a key, by which the
   * gateway knows it again and does not run it twice. A client without a user id is not known again. A text of 1 to 128
   * bytes is the key itself, which the program keeps: another client of the same user, such as that of a page which was
   * loaded anew, calls the same again and gets the same result, or the rest of the stream. @default false
   */
  readonly idempotent?: boolean | string | undefined;
  /** Sends the call again when it has failed with `canRetry`; not streams. @default the client's */
  readonly retry?: RetryOptions | undefined;
  /**
   * For streams: at most so many chunks are under way or held here, from 1 to 1_024; then the function pauses until the
   * loop has taken some. @default 32
   */
  readonly window?: number | undefined;
  /** For streams: goes on over the next socket when one is lost. @default true */
  readonly resume?: boolean | undefined;
}

/** Options of a client, whosever its socket is. */
export interface ClientOptions {
  /** The topic that it joins. @default "api:lobby" */
  readonly topic?: string | undefined;
  /** The event of requests and Responses, as the gateway's channel has it. @default "api" */
  readonly event?: string | undefined;
  /** The payload of its join: an object, or a function that is asked at every join. @default {} */
  readonly joinParams?: object | (() => object) | undefined;
  /** How long a call waits for a connection before it fails as `disconnected`, milliseconds. @default 10_000 */
  readonly waitMs?: number | undefined;
  /** Sends calls again that have failed with `canRetry`. @default every call is sent once */
  readonly retry?: RetryOptions | undefined;
}

/** What a WebSocket is made with: the browser's own, or that of `ws`. */
export type WebSocketClass = new (url: string, protocols?: string[]) => object;

/** Options of a client that opens a socket of its own. */
export interface ConnectOptions extends ClientOptions {
  /** The token that `connect` on the gateway gets; a function is asked at every attempt to connect. @default none */
  readonly authToken?: string | (() => Awaitable<string | null | undefined>) | undefined;
  /** Query parameters of the URL, which proxies log: no place for secrets. A function is asked at every attempt. */
  readonly params?: object | (() => object) | undefined;
  /** The class of WebSockets; Node before 22 has none. @default the global WebSocket */
  readonly transport?: WebSocketClass | undefined;
  /** How long one attempt to connect may take, the token included, milliseconds. @default 10_000 */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * How often the client asks whether the gateway is still there, milliseconds; a connection that is silent twice as
   * long is given up. @default 15_000
   */
  readonly heartbeatIntervalMs?: number | undefined;
}
