import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The built package where everything is installed but the packages for NATS. */
function installedWithoutNats(): string {
  const directory = mkdtempSync(join(tmpdir(), "gen-api-no-nats-"));
  cpSync(join(root, "dist"), join(directory, "dist"), { recursive: true });
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  mkdirSync(join(directory, "node_modules"));
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name.startsWith(".") || name === "@nats-io") continue;
    symlinkSync(join(root, "node_modules", name), join(directory, "node_modules", name));
  }
  return directory;
}

test("without its packages NATS says which to install, and all the rest of gen-api works", () => {
  const directory = installedWithoutNats();
  try {
    const program = `
      import { startGenApi } from "./dist/index.js";
      import { nats } from "./dist/node/nats/nats.js";
      const runtime = await startGenApi({ logger: false,  listen: { port: 0 } });
      await runtime.stop();
      const signingKey = "x".repeat(32);
      const faults = nats({ signingKey }).gatewayFaults({ hasToken: true });
      const failed = await new Promise((resolve) => {
        const clock = { now: () => 0, systemTime: () => 0, setTimeout, clearTimeout };
        nats().openNode({ name: "n", clock, random: Math.random, hasToken: true, fail: resolve, connected() {} });
      });
      console.log(JSON.stringify([faults, failed.code, failed.message]));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: directory });
    const needed = "cluster over NATS needs the packages @nats-io/transport-node, @nats-io/jetstream, @nats-io/kv: run";
    const [faults, code, message] = JSON.parse(String(output));
    expect(faults).toEqual([expect.stringContaining(needed)]);
    expect(code).toBe("invalid_option");
    expect(message).toMatch(needed);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
