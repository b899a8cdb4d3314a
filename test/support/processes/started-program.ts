import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";

/** A program that runs for a while, with what it has written so far. */
export class StartedProgram {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  #output = "";
  #errors = "";

  constructor(command: string, args: readonly string[], options: Pick<SpawnOptions, "cwd" | "env" | "detached">) {
    this.#child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
      this.#wake();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
      this.#wake();
    });
    // Not "exit": those whom it started write to the same pipes, and are gone when these are closed.
    this.#ended = once(this.#child, "close");
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get output(): string {
    return this.#output;
  }

  get errors(): string {
    return this.#errors;
  }

  /** Resolves with what matched in its output; rejects when it ends before. */
  wrote(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matched(pattern, () => this.#output);
  }

  /** As {@link wrote}, of what it writes to stderr. */
  complained(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matched(pattern, () => this.#errors);
  }

  async #matched(pattern: RegExp, written: () => string): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(written());
      if (match !== null) return match;
      const more = new Promise<"more">((resolve) => this.#waiting.add(() => resolve("more")));
      if ((await Promise.race([more, this.#ended])) !== "more") {
        throw new Error(`It ended without ${pattern}:\n${this.#output}\n${this.#errors}`);
      }
    }
  }

  /** Resolves with its exit code, or the signal that ended it, when it and all whom it started have ended. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    await this.#ended;
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
