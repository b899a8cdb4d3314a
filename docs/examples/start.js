// @ts-check
// What `npm start` runs: a gateway and a service node, each a process of its own.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const files = ["gateway.js", "service-node.js"];
const processes = files.map((file) => fork(fileURLToPath(new URL(file, import.meta.url))));

let isStopping = false;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  // Ctrl+C reaches all processes of a terminal by itself; told twice, they do not mind.
  process.on(signal, () => {
    isStopping = true;
    for (const child of processes) child.kill(signal);
  });
}
for (const child of processes) {
  child.once("exit", (code) => {
    // One that was about to end by itself may end by the signal instead.
    process.exitCode ||= code ?? (isStopping ? 0 : 1);
    for (const other of processes) other.kill("SIGTERM");
  });
}
