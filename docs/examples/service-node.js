// @ts-check
// A service node: its functions run here, in a process of its own, and clients reach them through the gateway.
import { startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import orders from "./order-service.js";
import { reloadOnSave } from "./watch.js";

const node = await startServiceNode({
  name: process.env.NODE_NAME ?? "orders@127.0.0.1",
  functions: [orders],
  cluster: link({ gateways: [process.env.GATEWAY_URL ?? "ws://127.0.0.1:4000/node"] }),
});
// npm start -- --watch
const endWatch = process.argv.includes("--watch")
  ? reloadOnSave(new URL("./order-service.js", import.meta.url), orders.service, node)
  : () => undefined;
// Not `once`: the second of two would end the process at once.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => node.stop({ drainMs: 5_000 }));
}
console.log(`service node ${node.name} runs ${orders.functions.map((fun) => `orders.${fun.requestType}`).join("  ")}`);

const closed = await node.closed;
endWatch();
console.log(`service node ${node.name} has ended: ${closed.reason === "error" ? closed.error.message : closed.reason}`);
// Whoever restarts processes goes by it.
process.exitCode = closed.reason === "error" ? 1 : 0;
