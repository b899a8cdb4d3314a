// @ts-check
// Calls one function with the official Phoenix client: npm run call -- SERVICE REQUEST_TYPE [ARGS as JSON]
import { randomUUID } from "node:crypto";
import { Socket } from "phoenix";
import WebSocket from "ws";

const [service = "demo", requestType = "hello", args = '{"name":"world"}'] = process.argv.slice(2);

const socket = new Socket(process.env.GEN_API_URL ?? "ws://127.0.0.1:4000/socket", {
  transport: WebSocket,
  params: { user_id: "1" },
});
socket.onError(() => fail(`No gateway at ${socket.endPointURL()}; start one with: npm start`));
socket.connect();

const channel = socket.channel("api:lobby");
let isStream = false;
channel.on("api", (response) => {
  console.log(JSON.stringify(response, null, 2));
  isStream ||= response.has_more;
  // An async call is acknowledged first; a stream has ended when there is no more.
  if (!response.has_more && (isStream || !response.async)) {
    socket.disconnect();
    process.exitCode = response.success ? 0 : 1;
  }
});
channel
  .join()
  .receive("ok", () =>
    channel.push("api", { service, request_type: requestType, request_id: randomUUID(), args: JSON.parse(args) }),
  )
  .receive("error", ({ reason }) => fail(`The channel was refused: ${reason}`));

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exit(1);
}
