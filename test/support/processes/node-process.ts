import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** What `test/fixtures/cluster/node.js` takes: options of startServiceNode, and where its gateways are. */
export interface NodeProcessOptions {
  readonly name: string;
  readonly gateways?: readonly string[];
  readonly servers?: string;
  /** The version of all its functions. */
  readonly version?: string;
  readonly [option: string]: unknown;
}

/** A service node that is a process of its own. */
export class NodeProcess implements AsyncDisposable {
  readonly name: string;
  readonly process: ChildProcess;
  readonly #noted: string[] = [];
  #isConnected = false;
  #waiting: (() => void)[] = [];

  private constructor(name: string, process: ChildProcess) {
    this.name = name;
    this.process = process;
    process.on("message", (message: { noted?: string; connected?: boolean }) => {
      if (message.noted !== undefined) this.#noted.push(message.noted);
      if (message.connected !== undefined) this.#isConnected = true;
      for (const look of this.#waiting.splice(0)) look();
    });
  }

  /** Resolves when the node runs; it need not have reached a gateway yet. */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const file = new URL("../../fixtures/cluster/node.js", import.meta.url);
    const child = fork(file, { stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
    const node = new NodeProcess(options.name, child);
    const started = Promise.race([
      once(child, "message"),
      once(child, "exit").then(([code]) => {
        throw new Error(`the node's process ended with ${code}`);
      }),
    ]);
    child.send(options);
    await started;
    return node;
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Resolves when a function of the node has noted `text`, or at once if it has. */
  async noted(text: string): Promise<void> {
    while (!this.#noted.includes(text)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when a gateway has had its functions, at once if one has. */
  async connected(): Promise<void> {
    while (!this.#isConnected) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Lets functions of the node go on that wait for `text`. */
  tell(text: string): void {
    this.process.send({ tell: text });
  }

  /** Lets it end in good order. */
  async stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    const exited = once(this.process, "exit");
    this.process.send({ stop: options });
    await exited;
  }

  /** A real signal; resolves when the process has gone, for those that end it. */
  async kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" = "SIGKILL"): Promise<void> {
    const exited = signal === "SIGKILL" ? once(this.process, "exit") : undefined;
    this.process.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    await this.kill("SIGKILL");
  }
}
