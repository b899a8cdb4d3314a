// Sees to it that the tests find a nats-server: they start their own, kill it and start it again, and none is skipped.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { natsServerBinary } from "./nats-server-binary.js";

if (natsServerBinary() === null) {
  const isRootOnDebian = process.getuid?.() === 0 && existsSync("/etc/debian_version");
  if (!isRootOnDebian) fail("run `sudo apt-get install nats-server`");
  run("apt-get", ["update"]);
  run("apt-get", ["install", "--yes", "--no-install-recommends", "nats-server"]);
  if (natsServerBinary() === null) fail("apt-get installed none that can be run");
}

function run(command, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { status, error } = spawnSync(command, args, { stdio: "inherit", env, timeout: 300_000 });
  if (status !== 0) fail(`\`${[command, ...args].join(" ")}\` failed: ${error?.message ?? `status ${status}`}`);
}

function fail(what) {
  console.error(`The tests need a nats-server, 2.9 or later, on the PATH or named by NATS_SERVER: ${what}`);
  process.exit(1);
}
