import { type Client, type ConnectOptions, connect } from "gen-api/client";
import WebSocket from "ws";
import type service from "../fixtures/client/service.js";

type Services = [typeof service];

/** A client of the test service, which is closed with its test. */
export interface TestClient extends Client<Services>, Disposable {}

// On a busy machine the next gateway takes its time.
const waitMs = 60_000;

/** A client as programs have it; Node 20 has no WebSocket of its own. */
export function openClient(url: string, options: ConnectOptions = {}): TestClient {
  const client = connect<Services>(url, { transport: WebSocket, params: { user_id: "1" }, waitMs, ...options });
  return Object.defineProperty(client as TestClient, Symbol.dispose, { value: () => client.close() });
}

/** Resolves when the client's status is this one. */
export async function reaches(client: Pick<Client, "status" | "onStatus">, status: Client["status"]): Promise<void> {
  if (client.status === status) return;
  await new Promise<void>((resolve) => {
    const stop = client.onStatus((now) => {
      if (now !== status) return;
      stop();
      resolve();
    });
  });
}
