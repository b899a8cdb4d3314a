// npm run bench [-- NAME …]: every measurement, or the named ones, each in a process of its own.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { cpus } from "node:os";

const all = readdirSync(new URL(".", import.meta.url))
  .filter((file) => file.endsWith(".bench.js"))
  .map((file) => file.slice(0, -".bench.js".length));
const named = process.argv.slice(2);
const unknown = named.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`No measurement ${unknown.join(", ")}; there are ${all.join(", ")}`);
  process.exit(2);
}

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}`);
console.log("Machines differ and are noisy: compare only figures of one run.\n");
for (const name of named.length > 0 ? named : all) {
  console.log(`# ${name}`);
  const script = new URL(`${name}.bench.js`, import.meta.url).pathname;
  const { status } = spawnSync(process.execPath, ["--expose-gc", script], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
  console.log();
}
