// @ts-check
// A gateway with the demo service and a page that calls it, which lets service nodes in at /node.
import { once } from "node:events";
import { startGenApi } from "gen-api";
import { link } from "gen-api/link";
import demo from "./demo-service.js";
import { server } from "./page-server.js";
import { reloadOnSave } from "./watch.js";

// What the environment says already stays.
process.loadEnvFile(new URL("./admin.env", import.meta.url));
const { GEN_API_ADMIN: adminListen = "", GEN_API_ADMIN_TOKEN: adminToken = "" } = process.env;

const gateway = await startGenApi({
  server,
  socket: {
    // A demo: the client says who it is. Verify a token here.
    connect: ({ params }) => ({ userId: typeof params.user_id === "string" ? params.user_id : null }),
  },
  channels: [{ topic: "api:*", event: "api" }],
  functions: [demo],
  cluster: link(),
  expectServices: ["orders"],
  admin: { listen: adminListen, token: adminToken },
  // Whoever has the token may call functions, and reload services:
  // npm run gen-api -- call demo hello '{"name":"world"}'
  adminActions: ["call", "reload"],
});
// npm start -- --watch
const endWatch = process.argv.includes("--watch")
  ? reloadOnSave(new URL("./demo-service.js", import.meta.url), demo.service, gateway)
  : () => undefined;

server.listen(Number(process.env.PORT ?? 4000), "127.0.0.1");
await once(server, "listening");

// Not `once`: the second of two would end the process at once.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => gateway.stop({ drainMs: 5_000 }));
}

console.log(`gen-api listens on ${gateway.address?.url}
  functions  ${demo.functions.map(({ requestType }) => `demo.${requestType}`).join("  ")}
  here       npm run call -- demo hello '{"name":"world"}'
  on a node  npm run call -- orders price '{"item":"apple","count":3}'
  look in    npm run gen-api -- top   (tree, health, flow demo hello, …)
  page       ${gateway.address?.url.replace(/^ws(.*)socket$/, "http$1")}   (text as it is written)
  stop       Ctrl+C`);
// For whoever waits for it, as docs/examples/start.js does.
process.send?.({ url: gateway.address?.url });

const closed = await gateway.closed;
server.close();
endWatch();
console.log(`gen-api has ended: ${closed.reason === "error" ? closed.error.message : closed.reason}`);
// Whoever restarts processes goes by it.
process.exitCode = closed.reason === "error" ? 1 : 0;
