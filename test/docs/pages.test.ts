import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { bundle } from "../client/bundle.ts";
import { ModelServer } from "../support/network/model-server.ts";
import { connectRaw } from "../support/network/raw-client.ts";
import { Chromium } from "../support/processes/chromium.ts";
import { typescriptBlocks } from "./blocks.ts";

// All pages are in one file, one after the other: their examples listen on the same port.
const root = new URL("../..", import.meta.url).pathname;

/** A page whose TypeScript blocks, each in the file that its first line names, are compiled and run as written. */
class Page {
  readonly text: string;
  #folder = "";
  readonly #running: ChildProcess[] = [];

  /** @param names the page, and those whose programs go on with its files */
  constructor(...names: string[]) {
    this.text = names.map((name) => readFileSync(join(root, name), "utf8")).join("\n");
  }

  compile(): void {
    this.#folder = mkdtempSync(join(root, ".readme-"));
    const blocks = typescriptBlocks(this.text);
    for (const { name, code } of blocks) writeFileSync(join(this.#folder, name), code);
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
    const config = { extends: "../tsconfig.json", compilerOptions, files: blocks.map(({ name }) => name), include: [] };
    writeFileSync(join(this.#folder, "tsconfig.json"), JSON.stringify(config));
    execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", this.#folder], { stdio: "inherit" });
  }

  start(name: string, env: Record<string, string> = {}) {
    const child = spawn(process.execPath, [join(this.#folder, name)], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
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

  /** Runs a command in the page's folder. @returns what it prints; a failure throws it */
  run(command: string, ...args: string[]): string {
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: "1", FORCE_COLOR: undefined };
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: this.#folder, encoding: "utf8", env });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** A file that it compiled, for browsers. */
  bundled(name: string): Promise<string> {
    return bundle(join(this.#folder, name));
  }

  killAll(): void {
    for (const child of this.#running.splice(0)) child.kill("SIGKILL");
  }

  delete(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

describe("the README's, and the tour's that goes on from there,", () => {
  const readme = new Page("README.md", "docs/tour.md");
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
    server.child.kill("SIGINT");
    expect(await once(server.child, "exit")).toEqual([0, null]);
  });

  test("service node, as it is written, answers the same client through a gateway without the service", async () => {
    const node = readme.start("node.js");
    const gateway = readme.start("gateway.js");
    expect((await gateway.lines.next()).value).toBe("listening on ws://127.0.0.1:4000/socket");
    // Until the node has pushed its functions they are unavailable, and the program ends with that.
    let line: string | undefined;
    do line = (await readme.start("client.js").lines.next()).value;
    while (line === undefined);
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
    const [, index = ""] = readFileSync(join(root, "README.md"), "utf8").split("## Documentation");
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

  test("a function that calls another, as it is written, prints what the page says", async () => {
    const [total] = await functions.printed("total.js");
    expect(functions.text).toContain(`It prints \`${total}\`.`);
  });

  test("the handler that is called as a function returns its result", async () => {
    expect(await functions.printed("handler.js")).toEqual(["{ title: 'Write', tags: [], due: null }"]);
  });
});

describe("of docs/describing.md,", () => {
  const describing = new Page("docs/describing.md");
  beforeAll(() => describing.compile(), 60_000);
  afterEach(() => describing.killAll());
  afterAll(() => describing.delete());

  test.each(["ask.js", "read.js"])("%s, as it is written, prints what the page says", async (name) => {
    const lines = await describing.printed(name);
    expect(describing.text).toContain(`It prints\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\``);
  });
});

describe("of docs/tenants.md,", () => {
  const tenants = new Page("docs/tenants.md");
  beforeAll(() => tenants.compile(), 60_000);
  afterEach(() => tenants.killAll());
  afterAll(() => tenants.delete());

  test("the gateway and two of its clients, as they are written, print what the page says", async () => {
    const lines = await tenants.printed("two-tenants.js");
    expect(tenants.text).toContain(`It prints\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\``);
  });
});

describe("of docs/testing.md,", () => {
  const testing = new Page("docs/testing.md");
  beforeAll(() => testing.compile(), 60_000);
  afterAll(() => testing.delete());

  test("the tests for Node's runner pass, as they are written", () => {
    const output = testing.run(process.execPath, "--test", "--test-reporter=tap");
    expect(output).toMatch(/^# pass 8$/m);
    expect(output).toMatch(/^# fail 0$/m);
  });

  test("so does the one for vitest", () => {
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    // The test starts threads: on a busy machine that takes more than the five seconds that vitest gives it.
    expect(testing.run(process.execPath, vitest, "run", "--testTimeout=30000", "shop.spec.js")).toMatch(
      /Tests +1 passed/,
    );
  });
});

describe("of docs/kubernetes.md,", () => {
  const kubernetes = new Page("docs/kubernetes.md");
  beforeAll(() => kubernetes.compile(), 60_000);
  afterEach(() => kubernetes.killAll());
  afterAll(() => kubernetes.delete());

  /** What a probe is answered; 0 while nobody listens. */
  const probe = (url: string) =>
    fetch(`http://127.0.0.1:${url}`).then(
      ({ status }) => status,
      () => 0,
    );
  const answered = async (url: string, status: number) => {
    while ((await probe(url)) !== status) await new Promise((resolve) => setTimeout(resolve, 50));
  };

  test("the programs, as they are written, answer their probes, drain on SIGTERM and end", async () => {
    const env = { PUSH_TOKEN: "a secret of the tests", GEN_API_ADMIN_TOKEN: "at-least-16-characters" };
    const gateway = kubernetes.start("gateway.js", env);
    await answered("4000/healthz", 200);
    expect(await probe("4000/readyz")).toBe(503);
    const node = kubernetes.start("node.js", { ...env, GATEWAYS: "ws://127.0.0.1:4001/node" });
    await answered("8080/readyz", 200);
    await answered("4000/readyz", 200);
    expect(await probe("8080/healthz")).toBe(200);
    const tool = [join(root, "dist/cli/main.js"), "health", "--admin", "127.0.0.1:4002"];
    execFileSync(process.execPath, tool, { env: { ...process.env, ...env } });

    const client = await connectRaw("ws://127.0.0.1:4000/socket/websocket?vsn=2.0.0");
    await client.join("api:a");
    const price = async (id: string) => {
      const request = { service: "order_service", request_type: "price", request_id: id, args: { count: 2 } };
      client.send(["1", id, "api:a", "api", request]);
      const [, , , , response] = await client.next(([, , , event]) => event === "api");
      return response;
    };
    expect(await price("2")).toMatchObject({ success: true, result: { total: 4 } });
    gateway.child.kill("SIGTERM");
    await answered("4000/readyz", 503);
    // It still serves while others learn that it goes.
    expect(await probe("4000/healthz")).toBe(200);
    expect(await price("3")).toMatchObject({ success: true });
    expect(await once(gateway.child, "exit")).toEqual([0, null]);
    await answered("8080/readyz", 503);
    expect(await probe("8080/healthz")).toBe(200);
    node.child.kill("SIGTERM");
    expect(await once(node.child, "exit")).toEqual([0, null]);
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

  test("the check of tokens, as it is written, lets in who has a good one and refuses all others with 403", async () => {
    const secret = "a secret of the test, of at least 32 bytes";
    const gateway = clients.start("tokens.js", { JWT_SECRET: secret });
    const now = Math.floor(Date.now() / 1_000);
    const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = (claims: object, key = secret) => {
      const text = `${base64({ alg: "HS256", typ: "JWT" })}.${base64(claims)}`;
      return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
    };
    const logged = async (event: string) => {
      for (;;) {
        const { value = expect.fail(`no ${event}`) } = await gateway.lines.next();
        const line = JSON.parse(value) as { event: string; level: number; status: number; reason: string };
        if (line.event === event) return line;
      }
    };
    await logged("config.batch_add");
    const connect = (authToken: string) => {
      const encoded = Buffer.from(authToken).toString("base64url");
      const protocols = ["phoenix", `base64url.bearer.phx.${encoded}`];
      const socket = new WebSocket("ws://127.0.0.1:4000/socket/websocket?vsn=2.0.0", protocols);
      socket.on("error", () => undefined);
      return new Promise<boolean>((resolve) => {
        socket.once("close", () => resolve(false));
        socket.once("open", () => {
          resolve(true);
          socket.close();
        });
      });
    };
    const good = { sub: "1", exp: now + 60 };
    let isOpen = false;
    // It does not listen yet at first.
    while (!isOpen) isOpen = await connect(token(good));
    const cases = [
      [token({ ...good, exp: now - 60 }), "ERR_JWT_EXPIRED"],
      [token(good, "another secret, of another issuer"), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"],
      [token({ sub: "1" }), "ERR_JWT_CLAIM_VALIDATION_FAILED"],
      ["not a token", "ERR_JWS_INVALID"],
      ["", "ERR_JWS_INVALID"],
    ] as const;
    for (const [bad, reason] of cases) {
      expect(await connect(bad)).toBe(false);
      expect(await logged("connection.refuse")).toMatchObject({ level: 30, status: 403, reason });
    }
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
    expect(codes).toHaveLength(14);
    for (const code of codes) expect(operating.text).toContain(`\`${code}\``);
  });
});

describe("of docs/reloading.md,", () => {
  const reloading = new Page("docs/reloading.md");
  beforeAll(() => reloading.compile(), 60_000);
  afterAll(() => reloading.delete());

  test("the program, as it is written, prints what the page says", async () => {
    const lines = await reloading.printed("reload.js");
    expect(reloading.text).toContain(`It prints\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\``);
  });
});

describe("of docs/pushes.md,", () => {
  const pushes = new Page("docs/pushes.md");
  beforeAll(() => pushes.compile(), 60_000);
  afterAll(() => pushes.delete());

  test("the program, as it is written, prints what the page says", async () => {
    const lines = await pushes.printed("rooms.js");
    expect(pushes.text).toContain(`It prints\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\``);
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

describe("of docs/otp.md,", () => {
  const page = new Page("docs/otp.md");
  beforeAll(() => page.compile(), 60_000);
  afterEach(() => page.killAll());
  afterAll(() => page.delete());

  test("the programs, as they are written, print what the page says, and end", async () => {
    expect(page.text).toContain(`It prints \`${(await page.printed("first.js")).join("\n")}\`.`);
    expect(page.text).toContain(`It prints\n\n\`\`\`text\n${(await page.printed("shop.js")).join("\n")}\n\`\`\``);
    const [price, ids] = await page.printed("gateway.js");
    expect(page.text).toContain(`It prints \`${price}\`, then \`${ids}\`.`);
  });
});

describe("of docs/client.md,", () => {
  const page = new Page("docs/client.md");
  beforeAll(() => page.compile(), 60_000);
  afterEach(() => page.killAll());
  afterAll(() => page.delete());

  test("the program, as it is written, prints what the page says, and ends", async () => {
    const gateway = page.start("gateway.js");
    expect((await gateway.lines.next()).value).toBe("listening on ws://127.0.0.1:4000/socket");
    expect(page.text).toContain(`It prints\n\n\`\`\`text\n${(await page.printed("program.js")).join("\n")}\n\`\`\``);
  });
});

describe("of docs/streaming-text.md,", () => {
  const page = new Page("docs/streaming-text.md");
  beforeAll(() => page.compile(), 60_000);
  afterEach(() => page.killAll());
  afterAll(() => page.delete());

  test("the page, as it is written, shows tokens as they come, goes on when it is loaded anew, and stops the model", async () => {
    await using model = await ModelServer.start();
    await using chromium = await Chromium.start();
    const [, html = ""] = /```html\n<!-- index\.html -->\n([\s\S]*?)```/.exec(page.text) ?? [];
    const script = await page.bundled("page.js");
    const files = createServer(({ url }, response) => {
      const isScript = url === "/page.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html").end(isScript ? script : html);
    });
    await new Promise<void>((resolve) => files.listen(5173, "localhost", resolve));
    try {
      const gateway = page.start("gateway.js", { MODEL_URL: model.url });
      expect((await gateway.lines.next()).value).toBe("listening on ws://127.0.0.1:4000/socket");
      const tab = await chromium.open("http://localhost:5173/");
      const textOf = (id: string) => tab.evaluate<string>(`document.getElementById("${id}").textContent`);
      const shows = (id: string) => expect.poll(() => textOf(id), { timeout: 20_000 });
      const ask = (question: string) =>
        tab.evaluate(
          `document.getElementById("question").value = "${question}"; document.querySelector("button").click()`,
        );

      await ask("Who are you?");
      expect(await model.asked()).toBe("Who are you?");
      expect(await textOf("state")).toBe("Thinking …");
      // Loaded anew before the first token, and in the middle.
      await tab.reload();
      await shows("state").toBe("Thinking …");
      model.write("I am");
      await shows("answer").toBe("I am");
      for (let n = 0; n < 40; n++) model.write(` ${n}`);
      await shows("answer").toMatch(/ 39$/);
      await tab.reload();
      await shows("answer").toMatch(/ 39$/);
      // More than a window: the new page acknowledges where the old one left off.
      for (let n = 40; n < 120; n++) model.write(` ${n}`);
      model.write(" a model.");
      await shows("answer").toMatch(/ 119 a model\.$/);
      expect(await textOf("answer")).toBe(`I am ${Array.from({ length: 120 }, (_, n) => n).join(" ")} a model.`);
      model.end();
      await shows("state").toBe("Done.");
      expect(model.requests).toBe(1);

      await ask("And else?");
      expect(await model.asked()).toBe("And else?");
      model.write("Nothing");
      await shows("answer").toBe("Nothing");
      await tab.evaluate('document.getElementById("stop").click()');
      await model.left();
      await shows("state").toBe("Stopped.");
      gateway.child.kill("SIGTERM");
      expect(await once(gateway.child, "exit")).toEqual([0, null]);
    } finally {
      files.close();
      files.closeAllConnections();
    }
  }, 120_000);
});
