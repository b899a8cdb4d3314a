import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cpuMicrosOf } from "./cpu-time.js";

/** A NATS server with JetStream on a free port of this machine, from the `nats-server` on the PATH, or the one that NATS_SERVER names. */
export class NatsServer {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(process: ChildProcess, directory: string, url: string) {
    this.#process = process;
    this.#directory = directory;
    this.url = url;
  }

  static async start(): Promise<NatsServer> {
    const directory = mkdtempSync(join(tmpdir(), "gen-api-bench-"));
    const started = spawn(
      process.env.NATS_SERVER ?? "nats-server",
      ["-a", "127.0.0.1", "-p", "-1", "-js", "-sd", directory],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    await once(started, "spawn");
    // Also when the measurement fails.
    process.once("exit", () => started.kill());
    let url = "";
    for await (const line of createInterface({ input: started.stderr })) {
      const [, address] = /Listening for client connections on (\S+)/.exec(line) ?? [];
      if (address !== undefined) url = `nats://${address}`;
      if (line.includes("Server is ready")) return new NatsServer(started, directory, url);
    }
    throw new Error("nats-server ended before it was ready");
  }

  /** The CPU time that it has used until now, microseconds; NaN where the system does not tell. */
  get cpuMicros(): number {
    return cpuMicrosOf(this.#process.pid as number);
  }

  async stop(): Promise<void> {
    this.#process.kill();
    await once(this.#process, "exit");
    rmSync(this.#directory, { recursive: true });
  }
}
