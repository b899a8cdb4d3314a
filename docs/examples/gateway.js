// @ts-check
// A gateway with the demo service: what `npm start` runs.
import { startGenApi } from "gen-api";
import demo from "./demo-service.js";

const gateway = await startGenApi({
  listen: { host: "127.0.0.1", port: Number(process.env.PORT ?? 4000) },
  socket: {
    // A demo: the client says who it is. Verify a token here.
    connect: ({ params }) => ({ userId: typeof params.user_id === "string" ? params.user_id : null }),
  },
  channels: [{ topic: "api:*", event: "api" }],
  functions: [demo],
});

console.log(`gen-api listens on ${gateway.address?.url}
  functions  ${demo.functions.map(({ requestType }) => `demo.${requestType}`).join("  ")}
  call one   npm run call -- demo hello '{"name":"world"}'
  stop       Ctrl+C`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => gateway.stop({ drainMs: 5_000 }));
}
const { reason } = await gateway.closed;
console.log(`gen-api has ended: ${reason}`);
