// A thousand clients that have joined a topic of the gateway at the port of the first argument and call nothing. With
// the second argument they send heartbeats, as often as the official client does.
import { setTimeout as sleep } from "node:timers/promises";
import { RawSocket, textFrame } from "../hostile/raw-socket.js";

const count = 1_000;
const heartbeatMs = 30_000;
const [port, heartbeats] = process.argv.slice(2);
const heartbeat = textFrame('[null,"2","phoenix","heartbeat",{}]');

process.on("disconnect", () => process.exit());
for (let client = 0; client < count; client++) {
  const socket = await RawSocket.open(Number(port));
  await socket.join("api:idle");
  if (heartbeats === undefined) continue;
  // Spread, as those of clients that came at any time are.
  sleep((client / count) * heartbeatMs).then(() => setInterval(() => socket.write(heartbeat), heartbeatMs));
}
process.send?.("ready");
