import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** The gateway of `test/fixtures/hostile/gateway.js`, a process of its own. */
export class HostileGateway implements AsyncDisposable {
  readonly port: number;
  readonly adminPort: number;
  readonly #process: ChildProcess;
  #asked = 0;

  private constructor(process: ChildProcess, port: number, adminPort: number) {
    this.#process = process;
    this.port = port;
    this.adminPort = adminPort;
  }

  /** @param natsServer where its gateway and its node meet; without it, over a link */
  static async start(natsServer?: string): Promise<HostileGateway> {
    const file = new URL("../fixtures/hostile/gateway.js", import.meta.url);
    const child = fork(file, natsServer === undefined ? [] : [natsServer], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv: [],
    });
    const [{ port, adminPort }] = (await once(child, "message")) as [{ port: number; adminPort: number }];
    return new HostileGateway(child, port, adminPort);
  }

  /** Where clients connect. @param query more of it */
  url(query = ""): string {
    return `ws://127.0.0.1:${this.port}/socket/websocket?vsn=2.0.0${query}`;
  }

  get isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What has reached Node's last resort since this was called before: unhandled rejections and uncaught exceptions. */
  async lastResort(): Promise<readonly string[]> {
    return (await this.#ask({ ask: "lastResort" })) as readonly string[];
  }

  /** Whether a call of the node is answered now. */
  async nodeAnswers(): Promise<boolean> {
    return (await this.#ask({ ask: "nodeAnswers" })) === true;
  }

  /** Lets one of the places that no request leads to misbehave, and the one before it no longer; null: none. */
  async arm(place: string | null, row: number): Promise<void> {
    await this.#ask({ ask: "arm", place, row });
  }

  /** Reloads a service whose module does it when a thread imports it. @returns the code of the error, if it failed */
  async reload(row: number): Promise<string | null> {
    return (await this.#ask({ ask: "reload", row })) as string | null;
  }

  async #ask(question: object): Promise<unknown> {
    if (!this.isAlive) throw new Error("The gateway's process has ended");
    const asked = ++this.#asked;
    this.#process.send({ ...question, asked });
    // An answer to a test that ran into its timeout may come first.
    for (;;) {
      const [message] = (await once(this.#process, "message")) as [{ asked: number; answer: unknown }];
      if (message.asked === asked) return message.answer;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isAlive) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
