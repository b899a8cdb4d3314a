import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { HostApp, makeProject } from "../support/host-app.ts";
import { pageFiles } from "../support/page-files.ts";
import { connectClient } from "../support/phoenix-client.ts";

// The examples of docs/hosts.md for the two largest frameworks, as they are written. Next runs in development: no build.
const page = readFileSync(new URL("../../docs/hosts.md", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "gen-api-next-"));
const packages = [
  "next@16",
  "react@19",
  "react-dom@19",
  "@nestjs/core@12",
  "@nestjs/common@12",
  "@nestjs/platform-express@12",
  "@nestjs/platform-ws@12",
  "@nestjs/websockets@12",
  "reflect-metadata@0.2",
  "rxjs@7",
];

const nestModule = `
import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";

class Pages {
  home() {
    return "plain";
  }
}
Controller()(Pages);
Get()(Pages.prototype, "home", Object.getOwnPropertyDescriptor(Pages.prototype, "home"));

class Echo {
  echo(_socket, message) {
    return { event: "echo", data: message };
  }
}
WebSocketGateway({ path: "/echo" })(Echo);
SubscribeMessage("echo")(Echo.prototype, "echo", Object.getOwnPropertyDescriptor(Echo.prototype, "echo"));

export class AppModule {}
Module({ controllers: [Pages], providers: [Echo] })(AppModule);
`;

beforeAll(async () => {
  await makeProject(folder, packages);
  for (const [name, code] of pageFiles("docs/hosts.md")) writeFileSync(join(folder, name), code);
  writeFileSync(join(folder, "app.module.js"), nestModule);
  mkdirSync(join(folder, "pages"));
  writeFileSync(join(folder, "pages/index.js"), "export default () => <p>plain</p>;\n");
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function greet(port: number): Promise<unknown> {
  await using client = await connectClient(`ws://localhost:${port}/socket`, { service: "hello" });
  return (await client.request("greet", { name: "World" })).response.result;
}

/** Sends a message to a WebSocket of the host's own, and reads what it answers. */
async function ask(url: string, message?: string): Promise<string> {
  const socket = new WebSocket(url);
  await once(socket, "open");
  if (message !== undefined) socket.send(message);
  const [answer] = await once(socket, "message");
  socket.close();
  return String(answer);
}

test("Next's custom server, as it is written, serves pages, its reloading socket and the gateway's clients", async () => {
  await using app = await HostApp.start(folder, "next.js");
  await app.listening();
  expect(await (await fetch(`http://localhost:${app.port}/`)).text()).toContain("plain");
  expect(await greet(app.port)).toBe("Hello World");
  expect(await ask(`ws://localhost:${app.port}/_next/hmr`)).toMatch(/turbopack-connected|"sync"|isrManifest/);
  expect(await greet(app.port)).toBe("Hello World");
  expect(await app.stop()).toBe(0);
});

test("Nest's Express platform, as it is written, serves its routes, its WsAdapter and the gateway's clients", async () => {
  await using app = await HostApp.start(folder, "nest.js");
  await app.listening();
  expect(await (await fetch(`http://localhost:${app.port}/`)).text()).toBe("plain");
  expect(await greet(app.port)).toBe("Hello World");
  const message = JSON.stringify({ event: "echo", data: "hello" });
  expect(await ask(`ws://localhost:${app.port}/echo`, message)).toBe(message);
  expect(await greet(app.port)).toBe("Hello World");
  expect(await app.stop()).toBe(0);
});

test("the versions of the page are those of these tests", () => {
  for (const name of ["next", "@nestjs/core", "@nestjs/platform-ws"]) {
    const { version } = JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8"));
    expect(page).toMatch(new RegExp(`[| ,]${name} ${version.split(".")[0]}[ ,]`));
  }
});
