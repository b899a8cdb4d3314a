import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsServer } from "../../support/nats/nats-server.ts";
import { GatewayProcess } from "../../support/processes/gateway-process.ts";

/** One run of a function of `test/fixtures/across/service.js`. */
export interface Run {
  readonly name: string;
  /** The gateway that executed it. */
  readonly by: string;
  readonly result: string;
}

/** Gateways on one NATS server that are processes of their own, and what they have executed. */
export class GatewayProcesses implements AsyncDisposable {
  readonly #server: NatsServer;
  readonly #folder = mkdtempSync(join(tmpdir(), "gen-api-across-"));
  readonly #processes: GatewayProcess[] = [];
  #count = 0;

  constructor(server: NatsServer) {
    this.#server = server;
    writeFileSync(this.#ranFile, "");
  }

  async start(port = 0): Promise<{ readonly name: string; readonly process: GatewayProcess }> {
    const name = `gateway-${++this.#count}`;
    const options = { port, servers: this.#server.url, name, ranFile: this.#ranFile };
    const process = await GatewayProcess.start(options, "across/gateway.js");
    this.#processes.push(process);
    return { name, process };
  }

  /** What was executed so far. */
  get runs(): Run[] {
    const lines = readFileSync(this.#ranFile, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Run);
  }

  get #ranFile(): string {
    return join(this.#folder, "ran");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process[Symbol.asyncDispose]()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
