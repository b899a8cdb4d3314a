import { afterAll, beforeAll, describe } from "vitest";
import { nats } from "../../../src/node/nats/nats.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { describeTransport } from "../transport-contract.ts";
import { openSockets } from "./open-sockets.ts";

describe("NATS keeps the contract of all transports:", () => {
  let server: NatsServer;
  let count = 0;
  beforeAll(async () => {
    server = await NatsServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describeTransport("nats", () => {
    const common = { servers: server.url, prefix: `test_${++count}` };
    const signingKey = "a secret of the gateways, 32 characters or more";
    return {
      gateway: nats({ ...common, signingKey, bucket: `test_${count}`, announceMs: 100 }),
      node: () => nats(common),
      close: async () => undefined,
      leftBehind: () => openSockets(),
    };
  });
});
