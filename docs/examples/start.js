// @ts-check
// What `npm start` runs: a gateway and, once that listens, a service node, each a process of its own. With
// `npm start -- --watch` both reload their services when their files are saved.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @type {import("node:child_process").ChildProcess[]} */
const processes = [];
let isStopping = false;

run("gateway.js").once("message", (/** @type {{ url: string }} */ { url }) => {
  if (!isStopping) run("service-node.js", { GATEWAY_URL: url.replace(/socket$/, "node") });
});

// Ctrl+C reaches all processes of a terminal by itself; told twice, they do not mind.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, stop);
// Whoever ends npm ends the shell that npm starts this with, and the shell passes no signal on.
const parent = process.ppid;
const watch = setInterval(() => process.ppid === parent || stop(), 200);

/**
 * When one ends, all end.
 * @param {string} file
 * @param {Readonly<Record<string, string>>} [env] what the environment does not say already
 */
function run(file, env) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, process.argv.slice(2), { env: { ...env, ...process.env } });
  processes.push(child);
  return child.once("exit", (code) => {
    // One that was about to end by itself may end by the signal instead.
    process.exitCode ||= code ?? (isStopping ? 0 : 1);
    stop();
  });
}

function stop() {
  isStopping = true;
  clearInterval(watch);
  for (const child of processes) child.kill("SIGTERM");
}
