import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { CalmReport } from "./calm-client.js";

/** A gateway and its calm client, each a process of its own; an attacker is a third. */
export class Scene {
  readonly #gateway: ChildProcess;
  readonly #client: ChildProcess;
  readonly #port: number;

  private constructor(gateway: ChildProcess, port: number, client: ChildProcess) {
    this.#gateway = gateway;
    this.#port = port;
    this.#client = client;
  }

  /** Resolves when the calm client calls. */
  static async set(): Promise<Scene> {
    const gateway = fork(script("gateway.js"), { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const [port] = (await once(gateway, "message")) as [number];
    const client = fork(script("calm-client.js"), [String(port)], { execArgv: [] });
    await once(client, "message");
    return new Scene(gateway, port, client);
  }

  /** Whether the gateway's process lives. */
  get isAlive(): boolean {
    return this.#gateway.exitCode === null && this.#gateway.signalCode === null;
  }

  /** The memory that the gateway's process holds at the moment, megabytes; 0 when it has ended. */
  get residentMb(): number {
    try {
      const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.#gateway.pid}/status`, "utf8")) ?? [];
      return Number(kilobytes ?? 0) / 1_024;
    } catch {
      return 0;
    }
  }

  /** @returns the attacker, whose sockets are open; it begins at a message, and goes on until {@link end} */
  async attacker(name: string): Promise<ChildProcess> {
    const attacker = fork(script("attacker.js"), [String(this.#port), name], { execArgv: [] });
    const isOpen = once(attacker, "message").then(() => true);
    const hasFailed = once(attacker, "exit").then(() => false);
    if (!(await Promise.race([isOpen, hasFailed]))) throw new Error(`The gateway refused the attacker: ${name}`);
    return attacker;
  }

  /** What the calm client measured since it was asked last, all its calls answered or given up. */
  async report(): Promise<CalmReport> {
    this.#client.send("report");
    const [report] = (await once(this.#client, "message")) as [CalmReport];
    return report;
  }

  async close(): Promise<void> {
    await end(this.#client);
    await end(this.#gateway);
  }

  /** Ends the gateway's process at once. */
  killGateway(): void {
    this.#gateway.kill("SIGKILL");
  }
}

/** Ends a process however busy it is. */
export async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  process.kill("SIGKILL");
  await once(process, "exit");
}

/** The names of these attacks that contain what the command line asks for; all where it asks for nothing. */
export function chosen(attacks: Readonly<Record<string, unknown>>): string[] {
  const wanted = process.argv[2] ?? "";
  return Object.keys(attacks).filter((name) => name.includes(wanted));
}

/** The latency that this share of the calls had at most, milliseconds; NaN without a call. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function script(file: string): URL {
  return new URL(file, import.meta.url);
}
