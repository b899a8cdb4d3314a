import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** What the fixtures named `gateway.js` take: options of startGenApi, and the NATS servers where it is to use them. */
export interface GatewayProcessOptions {
  /** 0 takes any free one. */
  readonly port: number;
  readonly servers?: string;
  readonly [option: string]: unknown;
}

/** A gateway that is a process of its own. */
export class GatewayProcess implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  /** Resolves when it listens. */
  static async start(options: GatewayProcessOptions, fixture = "cluster/gateway.js"): Promise<GatewayProcess> {
    const file = new URL(`../../fixtures/${fixture}`, import.meta.url);
    const child = fork(file, { stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
    child.send(options);
    const [{ port }] = (await once(child, "message")) as [{ port: number }];
    return new GatewayProcess(child, port);
  }

  /** Where clients connect. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}/socket`;
  }

  /** Where nodes connect. */
  get nodeUrl(): string {
    return `ws://127.0.0.1:${this.port}/node`;
  }

  /** A real signal; resolves when the process has gone, for the one that ends it. */
  async kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" = "SIGKILL"): Promise<void> {
    const exited = signal === "SIGKILL" ? once(this.#process, "exit") : undefined;
    this.#process.kill(signal);
    await exited;
  }

  /** Asks it to stop; resolves when the process has gone. */
  async stop(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
  }
}
