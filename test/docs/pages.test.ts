import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { connectRaw } from "../support/raw-client.ts";

// All pages are in one file, one after the other: their examples listen on the same port.
const root = new URL("../..", import.meta.url).pathname;

/** A page whose TypeScript blocks, each in the file that its first line names, are compiled and run as written. */
class Page {
  readonly text: string;
  #folder = "";
  readonly #running: ChildProcess[] = [];

  constructor(name: string) {
    this.text = readFileSync(join(root, name), "utf8");
  }

  compile(): void {
    this.#folder = mkdtempSync(join(root, ".readme-"));
    const blocks = [...this.text.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g)];
    for (const [, name = "", code = ""] of blocks) writeFileSync(join(this.#folder, name), code);
    const compilerOptions = {
      noEmit: false,
      outDir: this.#folder,
      rootDir: this.#folder,
      sourceMap: false,
      declaration: false,
      declarationMap: false,
      // What an example does not use of what it makes, its reader does.
      noUnusedLocals: false,
    };
    const config = { extends: "../tsconfig.json", compilerOptions, files: blocks.map(([, name]) => name), include: [] };
    writeFileSync(join(this.#folder, "tsconfig.json"), JSON.stringify(config));
    execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", this.#folder], { stdio: "inherit" });
  }

  start(name: string) {
    const child = spawn(process.execPath, [join(this.#folder, name)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#running.push(child);
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
  }

  /** The lines that a program prints until it ends, which it must by itself. */
  async printed(name: string): Promise<string[]> {
    const { child, lines } = this.start(name);
    const printed: string[] = [];
    for await (const line of { [Symbol.asyncIterator]: () => lines }) printed.push(line);
    expect(child.exitCode ?? (await once(child, "exit"))[0]).toBe(0);
    return printed;
  }

  killAll(): void {
    for (const child of this.#running.splice(0)) child.kill("SIGKILL");
  }

  delete(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

describe("the README's", () => {
  const readme = new Page("README.md");
  beforeAll(() => readme.compile(), 60_000);
  afterEach(() => readme.killAll());
  afterAll(() => readme.delete());

  test("quick start, as it is written, prints what it says", async () => {
    const server = readme.start("server.js");
    expect((await server.lines.next()).value).toBe("listening on ws://127.0.0.1:4000/socket");
    const client = readme.start("client.js");
    const line = (await client.lines.next()).value;
    expect(readme.text.replaceAll(/\s+/g, " ")).toContain(`It prints \`${line}\``);
    expect(await once(client.child, "exit")).toEqual([0, null]);
    server.child.kill("SIGTERM");
    expect(await once(server.child, "exit")).toEqual([0, null]);
  });

  test("service node, as it is written, answers the same client through a gateway without the service", async () => {
    const node = readme.start("node.js");
    const gateway = readme.start("gateway.js");
    expect((await gateway.lines.next()).value).toBe("listening on ws://127.0.0.1:4000/socket");
    let line = "";
    // Until the node has pushed its functions they are unavailable.
    do {
      const client = readme.start("client.js");
      line = (await client.lines.next()).value;
      expect(await once(client.child, "exit")).toEqual([0, null]);
    } while (line === "req_1 Service temporarily unavailable");
    expect(readme.text).toContain(`\`${line}\``);
    for (const { child } of [gateway, node]) {
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([0, null]);
    }
  });

  test("program that is looked into, as it is written, is well and ends", async () => {
    const lines = await readme.printed("observed.js");
    expect(lines.at(-1)).toBe("ok");
    expect(lines.some((line) => JSON.parse(line === "ok" ? "{}" : line).event === "config.batch_add")).toBe(true);
  });

  test("index of documents lists each of them, and no other", () => {
    const [, index = ""] = readme.text.split("## Documentation");
    const linked = Array.from(index.matchAll(/\(docs\/([\w-]+\.md)\)/g), ([, name]) => name);
    const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
    expect(linked.sort()).toEqual(pages.sort());
  });

  test("host program's own call, as it is written, works and its process ends", async () => {
    const { child, lines } = readme.start("in-process.js");
    expect((await lines.next()).value).toBe("{ id: '1', name: 'Alice' }");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("stream under limits, as it is written, works and its process ends", async () => {
    const { child, lines } = readme.start("limits.js");
    for (const tick of [1, 2, 3]) expect((await lines.next()).value).toBe(`{ tick: ${tick} }`);
    expect((await lines.next()).value).toBe("[ { key: 'userId', maxRequests: 2000, windowMs: 60000 } ]");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

describe("of docs/functions.md,", () => {
  const functions = new Page("docs/functions.md");
  beforeAll(() => functions.compile(), 60_000);
  afterEach(() => functions.killAll());
  afterAll(() => functions.delete());

  test("a service and a FunConfig, as they are written, print what the page says", async () => {
    const [power, task] = await functions.printed("functions.js");
    expect(functions.text).toContain(`It prints \`${power}\`, then \`${task}\`.`);
  });

  test("hooks and the permission callback, as they are written, print what the page says", async () => {
    const lines = await functions.printed("hooks.js");
    expect(functions.text).toContain(`It prints\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\``);
  });

  test("the handler that is called as a function returns its result", async () => {
    expect(await functions.printed("handler.js")).toEqual(["{ title: 'Write', tags: [], due: null }"]);
  });
});

describe("of docs/clients.md,", () => {
  const clients = new Page("docs/clients.md");
  beforeAll(() => clients.compile(), 60_000);
  afterEach(() => clients.killAll());
  afterAll(() => clients.delete());

  test("a client with a token, as it is written, prints what the page says", async () => {
    const gateway = clients.start("gateway.js");
    // It tries until the gateway listens.
    const client = clients.start("client.js");
    let line = (await client.lines.next()).value;
    while (line?.startsWith("not connected")) line = (await client.lines.next()).value;
    expect(clients.text).toContain(`It prints \`${line}\``);
    expect(await once(client.child, "exit")).toEqual([0, null]);
    gateway.child.kill("SIGTERM");
    expect(await once(gateway.child, "exit")).toEqual([0, null]);
  });

  test("the allowed origins, as they are written, are accepted", async () => {
    expect(await clients.printed("origins.js")).toEqual([]);
  });
});

describe("of docs/protocol.md,", () => {
  const protocol = new Page("docs/protocol.md");
  beforeAll(() => protocol.compile(), 60_000);
  afterEach(() => protocol.killAll());
  afterAll(() => protocol.delete());

  test("the gateway, as it is written, sends the frames that the page shows to the frames that it shows", async () => {
    const gateway = protocol.start("gateway.js");
    const url = String((await gateway.lines.next()).value).replace("listening on ", "");
    const objects = await connectRaw(`${url}/websocket?vsn=1.0.0`);
    const arrays = await connectRaw(`${url}/websocket?vsn=2.0.0`);
    const frames = [...protocol.text.matchAll(/```text\n(→[\s\S]*?)```/g)].flatMap(([, block = ""]) => framesIn(block));
    expect(frames.length).toBeGreaterThan(40);
    for (const { isSent, frame } of frames) {
      const client = Array.isArray(frame) ? arrays : objects;
      if (isSent) client.send(frame);
      else expect(await client.next()).toEqual(frame);
    }
    await arrays.settled();
    expect(arrays.frames).toEqual([]);
    await Promise.all([objects.close(), arrays.close()]);
  });
});

/** The frames of a block, each after the arrow that says who sends it. */
function framesIn(block: string): { readonly isSent: boolean; readonly frame: unknown }[] {
  const frames = block.split(/^(?=[→←] )/m);
  return frames.map((text) => ({ isSent: text.startsWith("→"), frame: JSON.parse(text.slice(2)) }));
}

describe("of docs/cluster.md,", () => {
  const cluster = new Page("docs/cluster.md");
  beforeAll(() => cluster.compile(), 60_000);
  afterEach(() => cluster.killAll());
  afterAll(() => cluster.delete());

  test("one process, as it is written, prints what the page says", async () => {
    const { child, lines } = cluster.start("one-process.js");
    const line = (await lines.next()).value;
    expect(cluster.text).toContain(`It prints \`${line}\``);
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("two processes, the node started first, print the same", async () => {
    const node = cluster.start("node.js");
    const gateway = cluster.start("gateway.js");
    expect((await gateway.lines.next()).value).toBe("{ total: 6 }");
    for (const { child } of [gateway, node]) {
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([0, null]);
    }
  });

  test("the permissions are those that the tests run nats-server with", () => {
    const permissions = readFileSync(join(root, "test/node/nats/permissions.conf"), "utf8");
    expect(cluster.text).toContain(permissions.trim());
  });
});

describe("of docs/production.md,", () => {
  const production = new Page("docs/production.md");
  beforeAll(() => production.compile(), 60_000);
  afterEach(() => production.killAll());
  afterAll(() => production.delete());

  test("the gateway and the node, as they are written, are ready once they have met, and end by a signal", async () => {
    const gateway = production.start("server.js");
    const node = production.start("node.js");
    const logged = async (event: string) => {
      let line: string;
      do line = (await node.lines.next()).value;
      while (JSON.parse(line).event !== event);
    };
    const probe = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    await logged("gateway.push");
    expect([await probe(4000, "/readyz"), await probe(8080, "/readyz")]).toEqual([200, 200]);
    gateway.child.kill("SIGTERM");
    expect(await once(gateway.child, "exit")).toEqual([0, null]);
    await logged("gateway.down");
    expect([await probe(8080, "/healthz"), await probe(8080, "/readyz")]).toEqual([200, 503]);
    node.child.kill("SIGINT");
    expect(await once(node.child, "exit")).toEqual([0, null]);
  });
});

describe("of docs/operating.md,", () => {
  const operating = new Page("docs/operating.md");
  beforeAll(() => operating.compile(), 60_000);
  afterEach(() => operating.killAll());
  afterAll(() => operating.delete());

  test("looking in from the program itself, as it is written, works and its process ends", async () => {
    const { child, lines } = operating.start("operating.js");
    expect((await lines.next()).value).toBe("ok true 0");
    expect((await lines.next()).value).toBe("not_found unsupported function: price version latest");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("every reason that health can give is explained", () => {
    const source = readFileSync(join(root, "src/diagnostics/health.ts"), "utf8");
    const [, union = ""] = /export type HealthCode =([^;]*);/.exec(source) ?? [];
    const codes = [...union.matchAll(/"(\w+)"/g)].map(([, code]) => code);
    expect(codes).toHaveLength(11);
    for (const code of codes) expect(operating.text).toContain(`\`${code}\``);
  });
});

describe("of docs/telemetry.md,", () => {
  const page = new Page("docs/telemetry.md");
  beforeAll(() => page.compile(), 60_000);
  afterEach(() => page.killAll());
  afterAll(() => page.delete());

  test("the handler, as it is written, prints what the page says", async () => {
    const { child, lines } = page.start("listen.js");
    const line = (await lines.next()).value;
    expect(page.text).toContain(`It prints \`${line}\``);
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

describe("of docs/metrics-and-tracing.md,", () => {
  const page = new Page("docs/metrics-and-tracing.md");
  beforeAll(() => page.compile(), 60_000);
  afterEach(() => page.killAll());
  afterAll(() => page.delete());

  test("the example, as it is written, prints what the page says", async () => {
    const { child, lines } = page.start("observed.js");
    const printed = [(await lines.next()).value, (await lines.next()).value];
    expect(page.text).toContain(printed.join("\n"));
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

describe("of docs/inspecting.md,", () => {
  const inspecting = new Page("docs/inspecting.md");
  beforeAll(() => inspecting.compile(), 60_000);
  afterEach(() => inspecting.killAll());
  afterAll(() => inspecting.delete());

  test("the observer, as it is written, prints what the page says", async () => {
    const { child, lines } = inspecting.start("watch.js");
    let printed = "";
    for await (const line of { [Symbol.asyncIterator]: () => lines }) printed += `${line}\n`;
    expect(printed).toContain("config_cache");
    expect(inspecting.text).toContain(`It prints\n\n\`\`\`text\n${printed}\`\`\``);
    expect(child.exitCode ?? (await once(child, "exit"))[0]).toBe(0);
  });
});
