import { type GatewayOptions, startGenApi } from "gen-api";
import service from "../fixtures/service.js";

/** A gateway on a free port with the test service, two threads, and an intensity that a test's kills do not exceed. */
export function startTestGateway(options: GatewayOptions = {}) {
  return startGenApi({
    logger: false,
    listen: { port: 0 },
    socket: { connect: ({ params }) => ({ userId: typeof params.user_id === "string" ? params.user_id : null }) },
    channels: [{ topic: "api:*", event: "api" }],
    functions: [service],
    workerPool: { threads: 2 },
    intensity: { maxRestarts: 1_000, withinMs: 1_000 },
    ...options,
  });
}

/** The URL of a gateway that listens. */
export function urlOf(gateway: { readonly address: { readonly url: string } | undefined }): string {
  if (gateway.address === undefined) throw new Error("the gateway does not listen");
  return gateway.address.url;
}
