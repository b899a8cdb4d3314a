// npm run bench [-- NAME …]: every measurement, or the named ones, each in a process of its own.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { basename, join } from "node:path";

const ending = ".bench.js";
const folder = new URL(".", import.meta.url).pathname;
/** Each measurement's name, and its script. */
const all = new Map(
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending) && !file.includes("node_modules"))
    .sort()
    .map((file) => [basename(file, ending), join(folder, file)]),
);
const named = process.argv.slice(2);
const unknown = named.filter((name) => !all.has(name));
if (unknown.length > 0) {
  console.error(`No measurement ${unknown.join(", ")}; there are ${[...all.keys()].join(", ")}`);
  process.exit(2);
}

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}`);
console.log("Machines differ and are noisy: compare only figures of one run.");
console.log(
  `Load averages before it, of 1, 5 and 15 minutes: ${loadavg()
    .map((load) => load.toFixed(1))
    .join(", ")}\n`,
);
for (const name of named.length > 0 ? named : all.keys()) {
  console.log(`# ${name}`);
  const { status } = spawnSync(process.execPath, ["--expose-gc", all.get(name) as string], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
  console.log();
}
