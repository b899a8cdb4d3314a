// @ts-check
// Calls one function with the official Phoenix client: npm run call -- SERVICE REQUEST_TYPE [ARGS as JSON]
// Ends with 0 for a success, 1 for a failure, 2 for a call that could not be sent.
import { randomUUID } from "node:crypto";
import { Socket } from "phoenix";
import WebSocket from "ws";

const [service = "demo", requestType = "hello", args = '{"name":"world"}'] = process.argv.slice(2);
const payload = { service, request_type: requestType, request_id: randomUUID(), args: readArgs(args) };

const url = process.env.GEN_API_URL ?? "ws://127.0.0.1:4000/socket";
if (!/^wss?:/.test(url) || !URL.canParse(url)) fail(`GEN_API_URL must be like ws://127.0.0.1:4000/socket, got ${url}`);
const socket = new Socket(url, { transport: WebSocket, params: { user_id: "1" } });
socket.onError(() => fail(`No gateway answers at ${url}, or it refuses this client; start one with: npm start`));
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
  .receive("ok", () => channel.push("api", payload))
  .receive("error", ({ reason }) => fail(`The channel was refused: ${reason}`));

/** @param {string} text */
function readArgs(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    fail(`The arguments must be JSON, such as '{"user_id":"1"}'; got ${text}: ${message}`);
  }
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(message);
  process.exit(2);
}
