import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const root = new URL("../..", import.meta.url).pathname;

/** Makes a project of ES modules in `folder`, with packages of the registry by name and this package as it is built. */
export async function makeProject(folder: string, packages: readonly string[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "host", private: true, type: "module" }));
  const options = ["--no-audit", "--no-fund", "--no-save", "--prefer-offline", "--loglevel=error"];
  await promisify(execFile)("npm", ["install", ...options, ...packages], { cwd: folder });
  symlinkSync(root, join(folder, "node_modules/gen-api"));
}

/** A port that nobody has; somebody else may take it before it is used, which Linux makes most unlikely. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A program of a project, a process of its own. Killed at the end of the block, where it has not ended. */
export class HostApp implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  #printed = "";

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (text) => {
        this.#printed += text;
      });
    }
  }

  static async start(folder: string, file: string): Promise<HostApp> {
    const port = await freePort();
    const env = { ...process.env, NODE_ENV: "development", NEXT_TELEMETRY_DISABLED: "1", PORT: String(port) };
    const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    return new HostApp(child, port);
  }

  /** All that it has printed. */
  get printed(): string {
    return this.#printed;
  }

  /** Resolves when its port takes connections. @throws when it ends before, with what it printed */
  async listening(): Promise<void> {
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`${this.#child.spawnargs} has ended:\n${this.#printed}`);
      const answer = await fetch(`http://localhost:${this.port}/`).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Asks it to end. @returns its exit code */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    const [code] = this.#child.exitCode === null ? await once(this.#child, "exit") : [this.#child.exitCode];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}
