import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { until } from "../until.ts";
import { natsServerBinary } from "./nats-server-binary.js";

/** What a test may say of its server. */
interface NatsServerOptions {
  /** Added to the server's configuration: users and permissions, `max_payload`. */
  readonly config?: string;
  /** @default true */
  readonly jetStream?: boolean;
}

/** A nats-server of the test's own, on a free loopback port, with a store that lives as long as this object. */
export class NatsServer implements AsyncDisposable {
  readonly port: number;
  readonly #monitorPort: number;
  readonly #directory: string;
  #process: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();

  private constructor(port: number, monitorPort: number, options: NatsServerOptions) {
    this.port = port;
    this.#monitorPort = monitorPort;
    this.#directory = mkdtempSync(join(tmpdir(), "gen-api-nats-"));
    this.configure(options);
  }

  /** Starts a server; resolves when it takes connections. */
  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    for (let attempt = 1; ; attempt++) {
      const server = await NatsServer.prepare(options);
      try {
        await server.restart();
        return server;
      } catch (error) {
        await server[Symbol.asyncDispose]();
        // Another program took the port after it was found free.
        if (attempt === 5 || !String(error).includes("address already in use")) throw error;
      }
    }
  }

  /** Says anew what the server is, from its next start on. */
  configure({ config = "", jetStream = true }: NatsServerOptions): void {
    const store = join(this.#directory, "store");
    const lines = [
      `listen: "127.0.0.1:${this.port}"`,
      `http: "127.0.0.1:${this.#monitorPort}"`,
      jetStream ? `jetstream { store_dir: "${store}" }` : "",
      config,
    ];
    writeFileSync(this.#configFile, lines.join("\n"));
  }

  /** Reserves a port and a store, but starts nothing yet. */
  static async prepare(options: NatsServerOptions = {}): Promise<NatsServer> {
    return new NatsServer(await freePort(), await freePort(), options);
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Its clients as it sees them: what they call themselves, and how many subscriptions each has. */
  async connections(): Promise<{ readonly cid: number; readonly name: string; readonly subscriptions: number }[]> {
    // Without an agent, so that no connection stays open that a test would count.
    const request = get({ host: "127.0.0.1", port: this.#monitorPort, path: "/connz", agent: false });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return (JSON.parse(await text(response)) as { connections: never[] }).connections;
  }

  /** Starts the server that {@link prepare} made, or that was killed: same port, same store, same configuration. */
  async restart(): Promise<void> {
    const binary = natsServerBinary();
    if (binary === null) throw new Error("nats-server is missing: run `node test/support/nats/require-nats-server.js`");
    if (this.#process !== null) throw new Error("nats-server is running");
    const child = spawn(binary, ["--config", this.#configFile], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    const heir = this.#appointHeir(child);
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => {
        heir.kill("SIGKILL");
        this.#process = null;
        resolve();
      });
    });
    await this.#listening(child);
  }

  /** Sends a real signal. Resolves when the server has exited, or stands still with all its threads. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    const pid = this.#process?.pid;
    this.#process?.kill(signal);
    if (signal === "SIGSTOP" && pid !== undefined) await until(() => standsStill(pid));
    else if (signal !== "SIGCONT") await this.#exited;
  }

  /** Loses everything that it has stored. It must not run. */
  wipe(): void {
    if (this.#process !== null) throw new Error("nats-server is running");
    rmSync(join(this.#directory, "store"), { recursive: true, force: true });
  }

  /** Ends the server and removes its store. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.signal("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Ends the server if this process dies before it does: a test that runs into its timeout leaves its block unfinished. */
  #appointHeir({ pid }: ChildProcess): ChildProcess {
    // It waits for the end of its input, which comes however this process ends.
    const script = 'read _; kill -KILL "$0"; rm -rf "$1"';
    return spawn("sh", ["-c", script, String(pid), this.#directory], { stdio: ["pipe", "ignore", "ignore"] });
  }

  get #configFile(): string {
    return join(this.#directory, "server.conf");
  }

  #listening(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      let log = "";
      child.stderr?.setEncoding("utf8");
      child.stderr?.on("data", (text: string) => {
        // What comes later must be read too, or the server would wait for the pipe.
        if (log.length > 100_000) return;
        log += text;
        if (log.includes("Server is ready")) resolve();
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}: ${log}`)));
    });
  }
}

/** A TCP port of the loopback interface that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}

/** Whether every thread of a stopped process has noticed that. Where the system does not tell, it is taken to have. */
function standsStill(pid: number): boolean {
  const threads = `/proc/${pid}/task`;
  if (!existsSync(threads)) return true;
  return readdirSync(threads).every((thread) => / T /.test(readFileSync(`${threads}/${thread}/stat`, "latin1")));
}
