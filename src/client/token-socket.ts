import { GenApiError } from "./gen-api-error.ts";
import type { ConnectOptions, WebSocketClass } from "./options.ts";

/** What is read and set of a WebSocket. */
interface WebSocketLike {
  readyState: number;
  bufferedAmount: number;
  binaryType: string;
  onopen: ((event: unknown) => void) | null;
  onmessage: ((event: unknown) => void) | null;
  onerror: ((event: unknown) => void) | null;
  onclose: ((event: unknown) => void) | null;
  send(data: unknown): void;
  close(code?: number, reason?: string): void;
}

const connecting = 0;
const closed = 3;

/**
 * A class of WebSockets for the official client, which makes one for every attempt to connect: each first asks for the
 * token, which may take a while, and gives up when the whole takes too long.
 */
export function tokenSocket(
  transport: WebSocketClass,
  authToken: ConnectOptions["authToken"],
  connectTimeoutMs: number,
): WebSocketClass {
  return class implements Omit<WebSocketLike, "bufferedAmount"> {
    binaryType = "arraybuffer";
    onopen: WebSocketLike["onopen"] = null;
    onmessage: WebSocketLike["onmessage"] = null;
    onerror: WebSocketLike["onerror"] = null;
    onclose: WebSocketLike["onclose"] = null;
    #socket: WebSocketLike | undefined;
    #isClosed = false;
    readonly #timer = setTimeout(() => this.#fail(new Error("It took too long to connect")), connectTimeoutMs);

    constructor(url: string) {
      this.#open(url).catch((error) => this.#fail(error));
    }

    get readyState(): number {
      return this.#isClosed ? closed : (this.#socket?.readyState ?? connecting);
    }

    get bufferedAmount(): number {
      return this.#socket?.bufferedAmount ?? 0;
    }

    send(data: unknown): void {
      this.#socket?.send(data);
    }

    close(code?: number, reason?: string): void {
      if (this.#socket === undefined) this.#end({ code: 1006, reason: "" });
      else this.#socket.close(code, reason);
    }

    async #open(url: string): Promise<void> {
      const token = typeof authToken === "function" ? await authToken() : authToken;
      if (this.#isClosed) return;
      const protocols = token == null ? [] : ["phoenix", `base64url.bearer.phx.${base64url(token)}`];
      const socket = new transport(url, protocols) as WebSocketLike;
      this.#socket = socket;
      socket.binaryType = this.binaryType;
      socket.onopen = (event) => {
        clearTimeout(this.#timer);
        this.onopen?.(event);
      };
      socket.onmessage = (event) => this.onmessage?.(event);
      socket.onerror = (event) => this.#isClosed || this.onerror?.(event);
      socket.onclose = (event) => this.#end(event);
    }

    #fail(error: unknown): void {
      if (this.#isClosed) return;
      this.onerror?.(error);
      // An error of a socket that is closed while it connects says nothing more.
      const socket = this.#socket;
      this.#end({ code: 1006, reason: "" });
      socket?.close();
    }

    #end(event: unknown): void {
      if (this.#isClosed) return;
      this.#isClosed = true;
      clearTimeout(this.#timer);
      this.onclose?.(event);
    }
  };
}

/** The platform's own class of WebSockets. */
export function globalWebSocket(): WebSocketClass {
  const { WebSocket } = globalThis as { WebSocket?: WebSocketClass };
  if (WebSocket !== undefined) return WebSocket;
  throw new GenApiError("invalid_option", "There is no global WebSocket here: pass `transport`, such as that of ws");
}

/** Any text, unlike `btoa` alone; and unlike its alphabet, this one is allowed in headers. */
function base64url(text: string): string {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
