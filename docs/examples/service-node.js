// @ts-check
// A service node: its functions run here, in a process of its own, and clients reach them through the gateway.
import { startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import orders from "./order-service.js";

const node = await startServiceNode({
  name: process.env.NODE_NAME ?? "orders@127.0.0.1",
  functions: [orders],
  cluster: link({ gateways: [process.env.GATEWAY_URL ?? "ws://127.0.0.1:4000/node"] }),
  logger: true,
});
console.log(`service node ${node.name} runs ${orders.functions.map((fun) => `orders.${fun.requestType}`).join("  ")}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => node.stop({ drainMs: 5_000 }));
}
const { reason } = await node.closed;
console.log(`service node ${node.name} has ended: ${reason}`);
