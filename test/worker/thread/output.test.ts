import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { connectClient } from "../../support/phoenix-client.ts";
import { until } from "../../support/until.ts";

const mebibyte = 1_048_576;
const stream = { stdout: "stdout", stderr: "stderr" } as const;

/** A gateway in a process of its own, and what came out of it. */
class WritingGateway implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  readonly dropped = { stdout: [] as number[], stderr: [] as number[] };
  readonly url: string;
  #grownKb = -1;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
    for (const name of [stream.stdout, stream.stderr]) {
      process[name]?.on("data", (chunk: Buffer) => this.#chunks[name].push(chunk));
    }
    process.on("message", (told: { grownKb?: number; stream: "stdout" | "stderr"; bytes: number }) => {
      if (told.grownKb === undefined) this.dropped[told.stream].push(told.bytes);
      else this.#grownKb = told.grownKb;
    });
  }

  static async start(workerPool: object): Promise<WritingGateway> {
    const file = new URL("../../fixtures/output/gateway.js", import.meta.url);
    const stdio: ["ignore", "pipe", "pipe", "ipc"] = ["ignore", "pipe", "pipe", "ipc"];
    const child = fork(file, [JSON.stringify({ workerPool })], { stdio, execArgv: [] });
    const died = once(child, "exit").then(() => {
      throw new Error(`The gateway ended: ${child.stderr?.read()}`);
    });
    const [{ url }] = (await Promise.race([once(child, "message"), died])) as [{ url: string }];
    died.catch(() => undefined);
    return new WritingGateway(child, url);
  }

  written(name: "stdout" | "stderr"): Buffer {
    return Buffer.concat(this.#chunks[name]);
  }

  text(name: "stdout" | "stderr"): string {
    return this.written(name).toString();
  }

  droppedBytes(name: "stdout" | "stderr"): number {
    return this.dropped[name].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Everything that functions wrote has come out, or was told to be dropped. */
  async accounted(name: "stdout" | "stderr", bytes: number): Promise<void> {
    await until(() => this.written(name).length + this.droppedBytes(name) >= bytes);
    expect(this.written(name).length + this.droppedBytes(name)).toBe(bytes);
  }

  /** By how many megabytes its memory has grown at most. */
  async grownMb(): Promise<number> {
    this.#grownKb = -1;
    this.#process.send("how much?");
    await until(() => this.#grownKb >= 0);
    return this.#grownKb / 1_024;
  }

  pauseReading(name: "stdout" | "stderr"): void {
    this.#process[name]?.pause();
  }

  resumeReading(name: "stdout" | "stderr"): void {
    this.#process[name]?.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}

async function numberOf(answer: Promise<{ response: { result: unknown } }>): Promise<number> {
  return (await answer).response.result as number;
}

describe("what functions on threads write", () => {
  test.each([stream.stdout, stream.stderr])(
    "to %s is bounded: 300 MB at once keep neither memory nor neighbours, and what was dropped is told",
    async (name) => {
      await using gateway = await WritingGateway.start({ threads: 2 });
      await using client = await connectClient(gateway.url);
      const flood = numberOf(client.request("flood", { stream: name, number: 300 }));
      for (let i = 0; i < 20; i++) {
        expect(await numberOf(client.request("echo", { stream: name, number: i }))).toBe(i);
      }
      await gateway.accounted(name, await flood);
      expect(gateway.written(name).length).toBeLessThan(10 * mebibyte);
      expect(await gateway.grownMb()).toBeLessThan(100);
    },
  );

  test("by many threads at once is bounded for each of them", async () => {
    await using gateway = await WritingGateway.start({ threads: 4 });
    await using client = await connectClient(gateway.url);
    const floods = [stream.stdout, stream.stderr, stream.stdout, stream.stderr].map((name) =>
      numberOf(client.request("floodForAWhile", { stream: name, number: 500 })),
    );
    const echo = await numberOf(client.request("echo", { stream: stream.stdout, number: 1 }));
    expect(echo).toBe(1);
    const [first, second, third, fourth] = (await Promise.all(floods)) as [number, number, number, number];
    await gateway.accounted(stream.stdout, first + third);
    await gateway.accounted(stream.stderr, second + fourth);
    // Whole lines, whatever was dropped between them.
    expect(new Set(gateway.text(stream.stdout).split("\n"))).toEqual(new Set(["0123456789abcde", ""]));
    // Each thread has a young generation of its own, which short writes fill.
    expect(await gateway.grownMb()).toBeLessThan(250);
  });

  test("comes out whole while it is within the bound, a line for each call", async () => {
    await using gateway = await WritingGateway.start({ threads: 2 });
    await using client = await connectClient(gateway.url);
    const numbers = Array.from({ length: 200 }, (_, number) => number);
    for (const name of [stream.stdout, stream.stderr]) {
      await Promise.all(numbers.map((number) => client.request("line", { stream: name, number })));
      await until(() => gateway.text(name).split("\n").length === 201);
      const lines = numbers.map((number) => `line ${number} of ${name}`);
      expect(new Set(gateway.text(name).trim().split("\n"))).toEqual(new Set(lines));
      expect(gateway.dropped[name]).toEqual([]);
    }
  });

  test("in one write that is larger than the bound is cut behind a whole character, as a line of its own", async () => {
    await using gateway = await WritingGateway.start({ threads: 1, maxOutputBytesPerSecond: 10_000 });
    await using client = await connectClient(gateway.url);
    await client.request("big", { stream: stream.stdout, number: 100_000 });
    await until(() => gateway.text(stream.stdout).endsWith("\n"));
    expect(gateway.text(stream.stdout)).toMatch(/^é+\n$/);
    const { length } = gateway.written(stream.stdout);
    expect(length).toBeGreaterThan(9_000);
    expect(length).toBeLessThanOrEqual(10_000);
    await until(() => gateway.droppedBytes(stream.stdout) > 0);
    expect(gateway.droppedBytes(stream.stdout)).toBe(200_000 - length);
  });

  test("by a reader that reads nothing waits within the bound, and nobody waits with it", async () => {
    await using gateway = await WritingGateway.start({ threads: 2 });
    await using client = await connectClient(gateway.url);
    gateway.pauseReading(stream.stdout);
    const written = await numberOf(client.request("flood", { stream: stream.stdout, number: 300 }));
    expect(await numberOf(client.request("echo", { stream: stream.stdout, number: 7 }))).toBe(7);
    expect(await gateway.grownMb()).toBeLessThan(100);
    gateway.resumeReading(stream.stdout);
    await gateway.accounted(stream.stdout, written);
  });

  test("as short parts of a large buffer costs only those parts", async () => {
    await using gateway = await WritingGateway.start({ threads: 1 });
    await using client = await connectClient(gateway.url);
    await client.request("views", { stream: stream.stdout, number: 200 });
    await until(() => gateway.written(stream.stdout).length === 200);
    // The buffer itself is one of 64.
    expect(await gateway.grownMb()).toBeLessThan(64 + 100);
  });

  test("calls back for every write, dropped or not, and a pipe into it flows on", async () => {
    await using gateway = await WritingGateway.start({ threads: 1, maxOutputBytesPerSecond: 1_024 });
    await using client = await connectClient(gateway.url);
    expect(await numberOf(client.request("callbacks", { stream: stream.stdout, number: 50 }))).toBe(150);
    expect(await numberOf(client.request("piped", { stream: stream.stdout, number: 20 }))).toBe(20);
  });

  test("is bounded by a console of their own as well", async () => {
    await using gateway = await WritingGateway.start({ threads: 1 });
    await using client = await connectClient(gateway.url);
    const written = await numberOf(client.request("replaced", { stream: stream.stderr, number: 50 }));
    await until(() => gateway.written(stream.stderr).length + gateway.droppedBytes(stream.stderr) >= written);
    expect(gateway.written(stream.stderr).length).toBeLessThan(10 * mebibyte);
  });

  test("is not ended for others by one that ends or destroys the stream", async () => {
    await using gateway = await WritingGateway.start({ threads: 1 });
    await using client = await connectClient(gateway.url);
    await client.request("ended", { stream: stream.stdout, number: 1 });
    await client.request("line", { stream: stream.stdout, number: 2 });
    await until(() => gateway.text(stream.stdout) === "the end\nline 2 of stdout\n");
  });
});
