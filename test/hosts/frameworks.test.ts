import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { HostApp, makeProject } from "../support/host-app.ts";
import { pageFiles } from "../support/page-files.ts";
import { connectClient } from "../support/phoenix-client.ts";

// The examples of docs/hosts.md as they are written, with the frameworks that it names.
const page = readFileSync(new URL("../../docs/hosts.md", import.meta.url), "utf8");
const files = pageFiles("docs/hosts.md");
const folder = mkdtempSync(join(tmpdir(), "gen-api-hosts-"));
const current = join(folder, "current");
const hono1 = join(folder, "hono-1");

const packages = [
  "express@5",
  "fastify@5",
  "@fastify/websocket@11",
  "hono@4",
  "@hono/node-server@2",
  "vite@8",
  "socket.io@4",
  "socket.io-client@4",
  "ws@8",
];
const hono1Packages = ["hono@4", "@hono/node-server@1", "@hono/node-ws@1"];

beforeAll(async () => {
  await makeProject(current, packages);
  await makeProject(hono1, hono1Packages);
  for (const project of [current, hono1]) {
    for (const [name, code] of files) writeFileSync(join(project, name), code);
  }
  writeFileSync(join(current, "index.html"), "plain");
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Calls the example's function through its gateway. */
async function greet(port: number, { path = "/socket", ...options } = {}): Promise<unknown> {
  await using client = await connectClient(`ws://localhost:${port}${path}`, { service: "hello", ...options });
  return (await client.request("greet", { name: "World" })).response.result;
}

async function plain(port: number): Promise<string> {
  return (await fetch(`http://localhost:${port}/`)).text();
}

/** What a WebSocket of the host's own answers. */
async function echo(port: number, path = "/echo"): Promise<string> {
  const socket = new WebSocket(`ws://localhost:${port}${path}`);
  await once(socket, "open");
  socket.send("hello");
  const [message] = await once(socket, "message");
  socket.close();
  return String(message);
}

/** The first message of Vite's socket for hot reloading. */
async function hotReload(port: number): Promise<unknown> {
  const socket = new WebSocket(`ws://localhost:${port}/`, "vite-hmr");
  const [message] = await once(socket, "message");
  socket.close();
  return JSON.parse(String(message));
}

async function socketIo(port: number, transport: string): Promise<unknown> {
  const { io } = createRequire(join(current, "index.js"))("socket.io-client");
  const socket = io(`http://localhost:${port}`, { transports: [transport] });
  const answer = await socket.emitWithAck("echo", "hello");
  socket.close();
  return answer;
}

describe("an example of docs/hosts.md, as it is written, serves the gateway's clients, its own, and ends by a signal:", () => {
  const examples: readonly [string, string, ((port: number) => Promise<void>)?][] = [
    ["express.js", current],
    ["fastify.js", current],
    ["fastify-websocket.js", current, async (port) => expect(await echo(port)).toBe("echo: hello")],
    ["hono.js", current, async (port) => expect(await echo(port)).toBe("echo: hello")],
    ["hono-node-ws.js", hono1, async (port) => expect(await echo(port)).toBe("echo: hello")],
    ["route.js", current, async (port) => expect(await echo(port)).toBe("echo: hello")],
    ["vite.js", current, async (port) => expect(await hotReload(port)).toEqual({ type: "connected" })],
    [
      "socketio.js",
      current,
      async (port) => {
        for (const transport of ["polling", "websocket"]) expect(await socketIo(port, transport)).toBe("echo: hello");
      },
    ],
    ["two-gateways.js", current, async (port) => expect(await greet(port, { path: "/office" })).toBe("Hello World")],
  ];
  test.each(examples)("%s", async (file, project, beside) => {
    await using app = await HostApp.start(project, file);
    await app.listening();
    expect(await greet(app.port)).toBe("Hello World");
    expect(await plain(app.port)).toContain("plain");
    await beside?.(app.port);
    expect(await greet(app.port)).toBe("Hello World");
    expect(await app.stop()).toBe(0);
    expect(app.printed).not.toMatch(/error/i);
  });
});

describe("Vite's proxy", () => {
  /** As the page says, or otherwise; a page's origin is that of the proxy. */
  async function status(edit: (code: string) => string): Promise<number> {
    writeFileSync(join(current, "edited.js"), edit(files.get("vite-proxy.js") ?? ""));
    await using app = await HostApp.start(current, "edited.js");
    await app.listening();
    const origin = `http://localhost:${app.port}`;
    const socket = new WebSocket(`ws://localhost:${app.port}/socket/websocket?vsn=2.0.0`, { origin });
    const answer = await Promise.race([
      once(socket, "open").then(() => 101),
      once(socket, "unexpected-response").then(([, { statusCode }]) => statusCode),
    ]);
    socket.on("error", () => undefined).terminate();
    await app.stop();
    return answer;
  }
  const listed = / {2}socket: \{ allowedOrigins.*\n/;

  test("lets a page in whose origin is listed, and refuses it where it is not", async () => {
    expect(await status((code) => code)).toBe(101);
    expect(await status((code) => code.replace(listed, ""))).toBe(403);
  });

  test("without changeOrigin lets its pages in, listed or not", async () => {
    expect(await status((code) => code.replace(listed, "").replace(", changeOrigin: true", ""))).toBe(101);
  });
});

test("the versions of the page are those of these tests", () => {
  for (const [project, names] of [
    [current, packages],
    [hono1, hono1Packages],
  ] as const) {
    for (const name of names.map((spec) => spec.slice(0, spec.lastIndexOf("@")))) {
      if (name === "socket.io-client" || (project === hono1 && name !== "@hono/node-ws")) continue;
      const { version } = JSON.parse(readFileSync(join(project, "node_modules", name, "package.json"), "utf8"));
      expect(page).toMatch(new RegExp(`[| ,]${name} ${version.split(".")[0]}[ ,]`));
    }
  }
});
