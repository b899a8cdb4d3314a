import { type Channel, Socket } from "phoenix";
import WebSocket from "ws";

/** A Response as it came. */
interface WireResponse {
  readonly request_id: string;
  readonly result: unknown;
  readonly success: boolean;
  readonly error: string | null;
  readonly error_code?: string;
  readonly async: boolean;
  readonly has_more: boolean;
  readonly can_retry: boolean;
}

/** Both answers to a request, and which came first. */
export interface Answer {
  readonly response: WireResponse;
  readonly reply: { readonly status: "ok" | "error"; readonly response: unknown };
  readonly order: readonly ("response" | "reply")[];
}

/** The official client, joined to one topic. */
export interface Client extends AsyncDisposable {
  readonly socket: Socket;
  readonly channel: Channel;
  /** Sends a request and waits for its final Response and its reply. */
  request(requestType: string, args?: object, more?: object): Promise<Answer>;
  close(): Promise<void>;
}

// On a busy machine an answer may take longer than the client's own ten seconds.
const patienceMs = 60_000;

/** Connects the official client to a gateway and joins `topic`. Rejects when it is refused. */
export async function connectClient(
  url: string,
  { topic = "api:lobby", params = {} as object, event = "api", service = "test" } = {},
): Promise<Client> {
  const socket = new Socket(url, { transport: WebSocket as never, params, timeout: patienceMs });
  socket.connect();
  const channel = socket.channel(topic);
  await new Promise<void>((resolve, reject) => {
    channel
      .join()
      .receive("ok", () => resolve())
      .receive("error", (reason) => reject(new Error(`join refused: ${JSON.stringify(reason)}`)));
  });
  const waiting = new Map<string, (response: WireResponse) => void>();
  channel.on(event, (response: WireResponse) => {
    if (!response.async && !response.has_more) waiting.get(response.request_id)?.(response);
  });
  let count = 0;
  const close = () => new Promise<void>((resolve) => socket.disconnect(() => resolve()));

  return {
    socket,
    channel,
    async request(requestType, args = {}, more = {}) {
      const requestId = `r${++count}`;
      const order: ("response" | "reply")[] = [];
      const response = new Promise<WireResponse>((resolve) => {
        waiting.set(requestId, (came) => {
          waiting.delete(requestId);
          order.push("response");
          resolve(came);
        });
      });
      const reply = new Promise<Answer["reply"]>((resolve, reject) => {
        const replied = (status: "ok" | "error") => (came: unknown) => {
          order.push("reply");
          resolve({ status, response: came });
        };
        channel
          .push(event, { service, request_type: requestType, request_id: requestId, args, ...more })
          .receive("ok", replied("ok"))
          .receive("error", replied("error"))
          .receive("timeout", () => reject(new Error(`no reply to ${requestType}`)));
      });
      // Both at once: a reply that never comes is the caller's to hear of, though no response comes either.
      const [came, answered] = await Promise.all([response, reply]);
      return { response: came, reply: answered, order };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
