import { spawnSync } from "node:child_process";

/** How to run nats-server: the environment's NATS_SERVER, or what is on the PATH, or where Debian puts it; null if none. */
export function natsServerBinary() {
  const candidates = process.env.NATS_SERVER ? [process.env.NATS_SERVER] : ["nats-server", "/usr/sbin/nats-server"];
  return candidates.find((binary) => spawnSync(binary, ["--version"], { timeout: 10_000 }).status === 0) ?? null;
}
