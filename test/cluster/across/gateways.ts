import { type Gateway, type GatewayOptions, startGenApi } from "gen-api";
import { nats } from "gen-api/nats";
import once from "../../fixtures/once.js";
import counted from "../../fixtures/streams/counted.js";
import { urlOf } from "../../support/gateway.ts";
import type { NatsServer } from "../../support/nats/nats-server.ts";
import { connectRaw, type Frame, type RawClient } from "../../support/network/raw-client.ts";

const signingKey = "k".repeat(32);

let count = 0;

/** Several gateways on one NATS server, and their clients. */
export class Gateways implements AsyncDisposable {
  readonly #server: NatsServer;
  readonly #gateways: Gateway[] = [];
  readonly #clients: RawClient[] = [];

  constructor(server: NatsServer) {
    this.#server = server;
  }

  async start(options: GatewayOptions = {}, key = signingKey): Promise<Gateway> {
    const gateway = await startGenApi({
      name: `gateway-${++count}`,
      logger: false,
      listen: { port: 0 },
      socket: { connect: ({ params }) => ({ userId: params.user_id === undefined ? null : String(params.user_id) }) },
      channels: [{ topic: "api:*", event: "api" }],
      functions: [counted, once],
      workerPool: { threads: 1 },
      cluster: nats({ servers: this.#server.url, signingKey: key }),
      ...options,
    });
    this.#gateways.push(gateway);
    return gateway;
  }

  /** @param userId null for a client without one */
  async connect(gateway: Gateway, userId: string | null = "u1"): Promise<RawClient> {
    const user = userId === null ? "" : `&user_id=${userId}`;
    const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0${user}`);
    this.#clients.push(client);
    await client.join("api:x", "1");
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.socket.terminate();
    await Promise.all(this.#gateways.map((gateway) => gateway.stop()));
  }
}

/** Asks for a call with a key. */
export function ask(client: RawClient, id: string, name: string, { key = name, requestType = "on_worker" } = {}): void {
  const request = { service: "once", request_type: requestType, request_id: id, args: { name } };
  client.send(["1", id, "api:x", "api", { ...request, idempotency_key: key }]);
}

/** The final Response to a request. */
export async function final(client: RawClient, id: string): Promise<Record<string, unknown>> {
  const isFinal = (frame: Frame) => {
    const { request_id, async: isAsync } = frame[4] as { request_id?: string; async?: boolean };
    return frame[3] === "api" && request_id === id && !isAsync;
  };
  return (await client.next(isFinal))[4] as Record<string, unknown>;
}

/** The next Response, whatever it answers. */
export async function next(client: RawClient): Promise<Record<string, unknown>> {
  return (await client.next((frame) => frame[3] === "api"))[4] as Record<string, unknown>;
}

/** Starts a stream, takes these chunks of it, and returns its token. */
export async function begin(client: RawClient, chunks: number, { to = 5, name = "it", more = {} } = {}) {
  const args = { name, to };
  const request = { service: "counted", request_type: "on_worker", request_id: "a", args, window: 4, resume: true };
  client.send(["1", "2", "api:x", "api", { ...request, ...more }]);
  const { resume_token } = await next(client);
  const seqs = [];
  for (let seq = 1; seq <= chunks; seq++) seqs.push((await next(client)).seq);
  return { token: resume_token as string, seqs };
}

/** Takes a stream up again: the reply. */
export async function resume(client: RawClient, resume_token: string, seq: number, request_id = "a"): Promise<unknown> {
  client.send(["1", "7", "api:x", "resume", { request_id, resume_token, seq }]);
  return (await client.reply("7"))[4];
}

export const ok = { status: "ok", response: {} };
export const refused = (reason: string) => ({ status: "error", response: { reason } });

export function acknowledge(client: RawClient, seq: number, request_id = "a"): void {
  client.send(["1", null, "api:x", "ack", { request_id, seq }]);
}
