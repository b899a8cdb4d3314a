import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setEnvironmentData, type Worker } from "node:worker_threads";

/** A module of functions that tell its version, and that a test writes anew. */
export class VersionedModule {
  readonly #folder = mkdtempSync(join(tmpdir(), "gen-api-"));
  readonly #file: string;
  readonly url: string;

  constructor(name = "versions.mjs") {
    this.#file = join(this.#folder, name);
    this.url = pathToFileURL(this.#file).href;
    this.write(0);
  }

  /** @param more code after the functions */
  write(version: number, more = ""): void {
    this.writeSource(`
import { getEnvironmentData, threadId } from "node:worker_threads";
export const gated = async () => {
  await Atomics.waitAsync(getEnvironmentData("gate"), 0, 0).value;
  return ${version};
};
export const version = () => ${version};
export const thread = () => threadId;
export const later = async () => { await new Promise((resolve) => setTimeout(resolve, 1_000)); return ${version}; };
export const hook = (request) => ({ request: { ...request, args: { by: "hook ${version}" } } });
export const echo = (by) => by;
export const nodes = () => ["node ${version}"];
export async function* versions() {
  for (;;) {
    yield ${version};
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
${more}`);
  }

  writeSource(source: string): void {
    writeFileSync(this.#file, source);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** What the function `gated`, on threads that are started from now on, waits for. */
export class Gate {
  readonly #cells = new Int32Array(new SharedArrayBuffer(4));

  constructor() {
    setEnvironmentData("gate", this.#cells);
  }

  open(): void {
    Atomics.store(this.#cells, 0, 1);
    Atomics.notify(this.#cells, 0);
  }
}

/** Counts the threads of this process that were started from now on and have not exited. */
export class LivingThreads {
  readonly #workers = new Set<Worker>();
  readonly #started = (message: unknown): void => {
    const { worker } = message as { readonly worker: Worker };
    this.#workers.add(worker);
    worker.once("exit", () => this.#workers.delete(worker));
  };

  constructor() {
    subscribe("worker_threads", this.#started);
  }

  get count(): number {
    return this.#workers.size;
  }

  [Symbol.dispose](): void {
    unsubscribe("worker_threads", this.#started);
  }
}
