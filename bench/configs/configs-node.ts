// The node that pushes for configs.bench: to the gateway of the first argument, as many functions as the second says. Asked
// to push, it tells how long that took, milliseconds.
import { startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { functionsFor, modules } from "./configs-functions.js";

const [gateway = "", count] = process.argv.slice(2);
const node = await startServiceNode({
  name: "pusher@127.0.0.1",
  service: "posts",
  modules,
  functions: functionsFor(Number(count), () => "posts"),
  pushOnStartup: false,
  cluster: link({ gateways: [gateway] }),
});

process.on("message", async (options: { force: boolean }) => {
  const from = performance.now();
  await node.push(options);
  process.send?.(performance.now() - from);
});
process.on("disconnect", () => process.exit());
while (node.gateways.length === 0) await new Promise(setImmediate);
process.send?.("ready");
