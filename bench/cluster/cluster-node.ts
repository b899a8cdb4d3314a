// The node of one of the clusters that cluster.bench compares, named by the first argument; the second is where the
// NATS server, or for a link the gateway, is. It is ready when it can be called.
import { connect } from "@nats-io/transport-node";
import { startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { ServiceBroker } from "moleculer";
import { reportTo } from "../measured-process.js";
import { createPost, type Post, posts } from "../socket/socket-service.js";
import { brokerOptions, type MoleculerSerializer } from "./cluster-moleculer.js";

const [variant = "", address = ""] = process.argv.slice(2);

async function startNode(cluster: ReturnType<typeof link>, runOn: "main" | "worker"): Promise<void> {
  const node = await startServiceNode({
    name: "posts@127.0.0.1",
    modules: { posts: posts.url as string },
    functions: posts.functions.map((config) => ({ ...config, runOn })),
    cluster,
  });
  await node.connected();
}

const overLink = () => link({ gateways: [address] });
const overNats = () => nats({ servers: address, prefix: variant });

async function startMoleculer(serializer: MoleculerSerializer): Promise<void> {
  const broker = new ServiceBroker(brokerOptions("node", serializer, address));
  broker.createService({
    name: "posts",
    actions: { create_post: ({ params }: { params: Post }) => createPost(params) },
  });
  await broker.start();
}

async function startBare(): Promise<void> {
  const connection = await connect({ servers: address, noAsyncTraces: true });
  connection.subscribe("posts.create_post", {
    callback: (error, message) => {
      if (error !== null) throw error;
      message.respond(JSON.stringify(createPost(message.json<Post>())));
    },
  });
  await connection.flush();
}

const nodes: Record<string, () => Promise<void>> = {
  link: () => startNode(overLink(), "main"),
  linkWorker: () => startNode(overLink(), "worker"),
  nats: () => startNode(overNats(), "main"),
  natsWorker: () => startNode(overNats(), "worker"),
  json: () => startMoleculer("JSON"),
  cbor: () => startMoleculer("CBOR"),
  bare: startBare,
};
await nodes[variant]?.();
reportTo("ready");
