// The gateway of one of the clusters that cluster.bench compares, named by the first argument; the second is where the
// NATS server is.
import { connect } from "@nats-io/transport-node";
import { startGenApi } from "gen-api";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { ServiceBroker } from "moleculer";
import { startFloor } from "../floor-server.js";
import { reportTo } from "../measured-process.js";
import { brokerOptions, type MoleculerSerializer } from "./cluster-moleculer.js";

const [variant = "", natsUrl = ""] = process.argv.slice(2);

async function startGateway(cluster: ReturnType<typeof link>): Promise<number> {
  const gateway = await startGenApi({
    listen: { host: "127.0.0.1", port: 0 },
    // Most connections send nothing while others are measured.
    socket: { connect: () => ({ userId: "user-1" }), idleTimeoutMs: 600_000 },
    channels: [{ topic: "api:*", event: "api" }],
    cluster,
  });
  return gateway.address?.port as number;
}

const overLink = () => startGateway(link({ path: "/node" }));

// Each cluster has a prefix of its own: all are measured on one server.
const overNats = () =>
  startGateway(
    nats({ servers: natsUrl, prefix: variant, bucket: variant, signingKey: "a key that nobody else needs to know" }),
  );

async function startMoleculer(serializer: MoleculerSerializer): Promise<number> {
  const broker = new ServiceBroker(brokerOptions("gateway", serializer, natsUrl));
  await broker.start();
  await broker.waitForServices("posts");
  return startFloor(({ service, request_type, args }) => broker.call(`${service}.${request_type}`, args), answerSoon);
}

async function startBare(): Promise<number> {
  const connection = await connect({ servers: natsUrl, noAsyncTraces: true });
  const options = { timeout: 10_000 };
  return startFloor(async ({ service, request_type, args }) => {
    const answer = await connection.request(`${service}.${request_type}`, JSON.stringify(args), options);
    return answer.json();
  }, answerSoon);
}

/** What one read of the NATS socket brought is answered in one write a client: setImmediate was no cheaper. */
const answerSoon = process.nextTick;

const gateways: Record<string, () => Promise<number>> = {
  link: overLink,
  linkWorker: overLink,
  nats: overNats,
  natsWorker: overNats,
  json: () => startMoleculer("JSON"),
  cbor: () => startMoleculer("CBOR"),
  bare: startBare,
};
reportTo(await gateways[variant]?.());
