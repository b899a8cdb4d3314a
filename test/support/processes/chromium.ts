import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";

const program = "/usr/bin/chromium";

/** A real browser without a window, with a profile of its own. */
export class Chromium implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #port: string;
  readonly #pages = new Set<Page>();

  private constructor(process: ChildProcess, profile: string, port: string) {
    this.#process = process;
    this.#profile = profile;
    this.#port = port;
  }

  static async start(): Promise<Chromium> {
    requireChromium();
    const profile = mkdtempSync(join(tmpdir(), "chromium-"));
    const flags = [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
    ];
    const args = [...flags, "--disable-dev-shm-usage", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
    const child = spawn(program, [...args, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    for await (const line of createInterface(child.stderr)) {
      const [, port] = /DevTools listening on ws:\/\/[^:]+:(\d+)\//.exec(line) ?? [];
      if (port !== undefined) {
        child.stderr.resume();
        return new Chromium(child, profile, port);
      }
    }
    throw new Error("Chromium ended before it listened");
  }

  /** Opens a tab, and waits until its page is loaded. */
  async open(url: string): Promise<Page> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}/json/new?about:blank`, { method: "PUT" });
    const { webSocketDebuggerUrl } = (await answer.json()) as { webSocketDebuggerUrl: string };
    const page = await Page.attach(webSocketDebuggerUrl);
    this.#pages.add(page);
    await page.goTo(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const page of this.#pages) page.detach();
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
  readonly params?: unknown;
}

/** A tab, by the DevTools protocol. */
export class Page {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #events = new Map<string, () => void>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id === undefined) this.#events.get(answer.method ?? "")?.();
      else this.#waiting.get(answer.id)?.(answer);
    });
  }

  static async attach(url: string): Promise<Page> {
    const socket = new WebSocket(url);
    await once(socket, "open");
    return new Page(socket);
  }

  async goTo(url: string): Promise<void> {
    await this.command("Page.enable");
    const loaded = new Promise<void>((resolve) => this.#events.set("Page.loadEventFired", resolve));
    await this.command("Page.navigate", { url });
    await loaded;
  }

  /** As its reader does. */
  async reload(): Promise<void> {
    const loaded = new Promise<void>((resolve) => this.#events.set("Page.loadEventFired", resolve));
    await this.command("Page.reload");
    await loaded;
  }

  /** The value of an expression in the page; that of a promise when it has one. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = (await this.command("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as { result: { value: Value }; exceptionDetails?: { text: string; exception?: { description?: string } } };
    if (exceptionDetails === undefined) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  async command(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#count;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answered;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** Goes back in the tab's history. */
  async back(): Promise<void> {
    const { currentIndex, entries } = (await this.command("Page.getNavigationHistory")) as {
      currentIndex: number;
      entries: readonly { id: number }[];
    };
    const shown = new Promise<void>((resolve) => this.#events.set("Page.frameNavigated", resolve));
    await this.command("Page.navigateToHistoryEntry", { entryId: entries[currentIndex - 1]?.id });
    await shown;
  }

  /** Writes what the tab shows into a file. */
  async screenshot(file: string): Promise<void> {
    const { data } = (await this.command("Page.captureScreenshot")) as { data: string };
    writeFileSync(file, Buffer.from(data, "base64"));
  }

  /** Closes the tab. */
  async close(): Promise<void> {
    await this.command("Page.close");
    this.detach();
  }

  detach(): void {
    this.#socket.terminate();
  }
}

/** Installs it where that is possible without asking: as root on Debian. */
function requireChromium(): void {
  if (existsSync(program)) return;
  const line = "apt-get install --yes chromium";
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) {
    throw new Error(`These tests need Chromium at ${program}: sudo ${line}`);
  }
  execFileSync("sh", ["-c", `apt-get update && ${line}`], { stdio: "inherit" });
}
