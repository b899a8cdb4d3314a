import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayOptions } from "gen-api";
import { afterAll, describe, expect, test } from "vitest";
import type { AnyActorRef } from "xstate";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import { adminOf, adminToken, askAdmin, postAdmin, send } from "../support/admin.ts";
import { keep } from "../support/cluster.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { named, watchActors } from "../support/living-actors.ts";
import { statusLine } from "../support/network/raw-http.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { recordEvents } from "../support/record-events.ts";

const folder = mkdtempSync(join(tmpdir(), "gen-api-admin-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const admin = { listen: "127.0.0.1:0", token: adminToken };

async function startWithAdmin(options: GatewayOptions = {}) {
  return keep(await startTestGateway({ admin, workerPool: { threads: 1 }, ...options }));
}

describe("the admin listener lets in", () => {
  test("whoever sends its token, by any of this machine's names", async () => {
    const gateway = await startWithAdmin();
    for (const host of [undefined, "localhost:4001", "127.0.0.1", "[::1]:80", "LOCALHOST"]) {
      expect((await askAdmin(gateway, "/api/health", { headers: { host } })).json).toMatchObject({ status: "ok" });
    }
  });

  test("nobody without the token, and says so to telemetry without showing what came", async () => {
    using events = recordEvents("admin.refuse");
    const gateway = await startWithAdmin();
    for (const authorization of [
      undefined,
      "",
      "Bearer",
      "Bearer wrong",
      `Basic ${adminToken}`,
      `Bearer ${adminToken}x`,
      `Bearer ${adminToken.slice(0, -1)}`,
    ]) {
      const { status, headers, json } = await askAdmin(gateway, "/api/health", { headers: { authorization } });
      expect(status).toBe(401);
      expect(headers["www-authenticate"]).toBe("Bearer");
      expect(json.error.code).toBe("unauthenticated");
    }
    expect(events.messages).toHaveLength(7);
    expect(JSON.stringify(events.messages)).not.toContain(adminToken.slice(0, 8));
  });

  test("who has the token, however many connections others hold open and say nothing", async () => {
    const gateway = await startWithAdmin();
    const { port } = adminOf(gateway) as { port: number };
    const silent = Array.from({ length: 80 }, () => connect(port, "127.0.0.1"));
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    await Promise.all(silent.slice(0, 16).map((socket) => once(socket, "close")));
    expect((await askAdmin(gateway, "/api/health")).status).toBe(200);
    expect(silent.filter((socket) => !socket.destroyed).length).toBeGreaterThanOrEqual(63);
    for (const socket of silent) socket.destroy();
  });

  test("no web page: neither one that rebound its name to this machine, nor one of another origin", async () => {
    const gateway = await startWithAdmin();
    const { port } = adminOf(gateway) as { port: number };
    for (const host of [`evil.example:${port}`, "localhost.evil.example", "0.0.0.0", "10.0.0.1", "a b"]) {
      expect((await askAdmin(gateway, "/api/health", { headers: { host } })).status).not.toBe(200);
    }
    const socket = connect(port, "127.0.0.1");
    socket.end(`GET /api/health HTTP/1.0\r\nAuthorization: Bearer ${adminToken}\r\n\r\n`);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 403 /);
    socket.destroy();
    for (const origin of ["http://evil.example", "null", `https://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`]) {
      const { status, json } = await askAdmin(gateway, "/api/health", { headers: { origin } });
      expect([status, json.error.code]).toEqual([403, "permission_denied"]);
    }
    const own = { origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}` };
    expect((await askAdmin(gateway, "/api/health", { headers: own })).status).toBe(200);
  });

  test("no Host that is not exactly a host and perhaps a port, nor two of them, nor another one in the target", async () => {
    const gateway = await startWithAdmin();
    const { port } = adminOf(gateway) as { port: number };
    const ask = (target: string, ...hosts: string[]) => {
      const lines = hosts.map((host) => `Host: ${host}\r\n`).join("");
      const head = `GET ${target} HTTP/1.1\r\n${lines}Authorization: Bearer ${adminToken}\r\nConnection: close\r\n\r\n`;
      return statusLine(port, head);
    };
    for (const host of [
      "evil.example@localhost",
      "localhost@localhost",
      "localhost/evil.example",
      "localhost?evil.example",
      "localhost#evil.example",
      "localhost\\evil.example",
      "localhost:4001:80",
      "localhost:",
      "localhost:80a",
      "localhost:99999",
      "localhost.",
      "local%68ost",
      "localhost, evil.example",
      "[::1",
      "[::1]]",
      "::1",
      "[::1%25lo]",
      "",
    ]) {
      expect([host, await ask("/api/health", host)]).toEqual([host, expect.stringMatching(/ 40[03] /)]);
    }
    for (const host of ["localhost", "LocalHost:4001", "127.0.0.1:80", "[::1]", "[0:0::1]:4001"]) {
      expect([host, await ask("/api/health", host)]).toEqual([host, expect.stringMatching(/ 200 /)]);
    }
    expect(await ask("/api/health", "localhost", "evil.example")).toMatch(/ 40[03] /);
    expect(await ask("/api/health", "evil.example", "localhost")).toMatch(/ 40[03] /);
    expect(await ask("/api/health", "localhost", "localhost")).toMatch(/ 40[03] /);
    expect(await ask("http://evil.example/api/health", "localhost")).toMatch(/ 403 /);
    expect(await ask("http://localhost/api/health", "evil.example")).toMatch(/ 403 /);
    expect(await ask("http://x@localhost/api/health", "localhost")).toMatch(/ 403 /);
    expect(await ask("http://localhost:4001/api//health", "localhost:4001")).toMatch(/ 200 /);
  });

  test("no page by an Origin that is not exactly the Host's", async () => {
    const gateway = await startWithAdmin();
    const host = "localhost:4001";
    const ask = async (...origins: string[]) => {
      const lines = origins.map((origin) => `Origin: ${origin}\r\n`).join("");
      const head = `GET /api/health HTTP/1.1\r\nHost: ${host}\r\n${lines}Authorization: Bearer ${adminToken}\r\n\r\n`;
      return statusLine((adminOf(gateway) as { port: number }).port, head);
    };
    expect(await ask(`http://${host}`)).toMatch(/ 200 /);
    for (const origin of [
      `http://evil@${host}`,
      `http://${host}/`,
      `http://${host}.evil.example`,
      "http://localhost",
      "null",
    ]) {
      expect([origin, await ask(origin)]).toEqual([origin, expect.stringMatching(/ 403 /)]);
    }
    expect(await ask(`http://${host}`, "http://evil.example")).toMatch(/ 403 /);
  });

  test("a further name that is allowed", async () => {
    const gateway = await startWithAdmin({ admin: { ...admin, allowedHosts: ["gateway.internal"] } });
    const ask = (host: string) => askAdmin(gateway, "/api/health", { headers: { host } });
    expect((await ask("gateway.internal:4001")).status).toBe(200);
    expect((await ask("other.internal:4001")).status).toBe(403);
  });
});

describe("what is no question is refused:", () => {
  test("paths that are not there, and methods that a path does not take", async () => {
    const gateway = await startWithAdmin();
    for (const path of ["/nothing", "//", "/api/health/x", "//:99999/x"]) {
      expect(await askAdmin(gateway, path), path).toMatchObject({ status: 404 });
    }
    const posted = await postAdmin(gateway, "/api/tree", {});
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET"]);
    expect(await askAdmin(gateway, "/api/health", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  });

  test("bodies that are too long, of another type, or not JSON", async () => {
    const gateway = await startWithAdmin();
    const post = (body: string, type = "application/json") =>
      askAdmin(gateway, "/api/inspect", { method: "POST", body, headers: { "content-type": type } });
    expect((await post("{")).status).toBe(400);
    expect((await post("{}", "text/plain")).status).toBe(415);
    expect((await post("[]")).json.error).toMatchObject({ code: "invalid_request" });
    expect((await post(JSON.stringify({ a: "x".repeat(1_100_000) }))).status).toBe(413);
    expect((await askAdmin(gateway, "/api/health")).status).toBe(200);
  });

  test("every field of the wrong type is named", async () => {
    const gateway = await startWithAdmin();
    const { status, json } = await postAdmin(gateway, "/api/inspect", { service: 5, userRoles: "admin", more: 1 });
    expect(status).toBe(400);
    for (const fault of ["service must be a string", "requestType must be", "userRoles must be a list", '"more"']) {
      expect(json.error.message).toContain(fault);
    }
  });
});

describe("a call by way of the admin listener", () => {
  const add = { service: "test", requestType: "add", args: { a: 1, b: 2 } };

  test("is refused unless adminActions lists it", async () => {
    const gateway = await startWithAdmin();
    for (const call of [add, { service: "test", requestType: "count", args: { to: 1 } }]) {
      const { status, json } = await postAdmin(gateway, "/api/call", call);
      expect([status, json.error.code]).toEqual([403, "permission_denied"]);
    }
    expect(gateway.diagnostics.statistics().requests.total).toBe(0);
  });

  test("is answered as any call, as whom it names, where it is listed", async () => {
    const gateway = await startWithAdmin({ adminActions: ["call"] });
    expect((await postAdmin(gateway, "/api/call", add)).json).toMatchObject({ success: true, result: 3 });
    const whoami = { service: "test", requestType: "only_users", userId: "7" };
    expect((await postAdmin(gateway, "/api/call", whoami)).json).toMatchObject({ success: true });
    const nobody = { ...whoami, userId: null };
    expect((await postAdmin(gateway, "/api/call", nobody)).json).toMatchObject({ error_code: "permission_denied" });
  });

  test("of a stream is answered with a Response in a line for each chunk, no more of them than are taken", async () => {
    const chunk = `${"x".repeat(100_000)}`;
    const code = `export function* chunks() { for (;;) yield ${JSON.stringify(chunk)}; }`;
    const modules = { m: `data:text/javascript,${encodeURIComponent(code)}` };
    const config = { service: "s", nodes: "local", runOn: "main", responseType: "stream", timeout: 5_000 } as const;
    const gateway = await startWithAdmin({
      adminActions: ["call"],
      modules,
      functions: [{ ...config, requestType: "chunks", mfa: "m.chunks" }],
      workerPool: { threads: 1, streamStallTimeoutMs: 100 },
    });
    const { port } = adminOf(gateway) as { port: number };
    const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
    const asking = request({ port, host: "127.0.0.1", method: "POST", path: "/api/call", headers });
    using events = recordEvents("stream.stop");
    asking.end(JSON.stringify({ service: "s", requestType: "chunks", requestId: "r" }));
    const [answer] = (await once(asking, "response")) as [IncomingMessage];
    // Nobody reads: the producer stops, and its stream ends as any that nobody reads.
    await expect.poll(() => events.messages.length).toBe(1);
    let text = "";
    for await (const data of answer.setEncoding("utf8")) text += data;
    expect(answer.headers["content-type"]).toBe("application/x-ndjson; charset=utf-8");
    const responses = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(responses[0]).toMatchObject({ request_id: "r", success: true, result: chunk, has_more: true });
    expect(responses.at(-1)).toMatchObject({ request_id: "r", error_code: "cancelled", has_more: false });
    expect(events.messages[0]?.measurements).toEqual({ duration_us: expect.any(Number), chunks: responses.length - 1 });
  });

  test("is cancelled when whoever asked is gone", async () => {
    const gateway = await startWithAdmin({ adminActions: ["call"] });
    const { port } = adminOf(gateway) as { port: number };
    const body = JSON.stringify({ service: "test", requestType: "wait_on_main" });
    const socket = connect(port, "127.0.0.1");
    socket.write(
      `POST /api/call HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    using events = recordEvents("executor.request.stop");
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(1);
    socket.destroy();
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
    expect(events.messages[0]?.metadata).toMatchObject({ error_code: "cancelled" });
  });
});

describe("on a socket in the file system", () => {
  test("it is reached by its user alone, and its file goes with it", async () => {
    const path = join(folder, "admin.sock");
    const gateway = await startWithAdmin({ admin: { ...admin, listen: `unix:${path}` } });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await askAdmin(gateway, "/api/health", { headers: { host: "localhost" } })).status).toBe(200);
    expect((await send({ socketPath: path }, "/api/health", { headers: { host: "localhost" } })).status).toBe(401);
    await gateway.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("a file that a killed process left behind is replaced, one that is in use or none of a socket is not", async () => {
    const path = join(folder, "stale.sock");
    const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    expect(existsSync(path)).toBe(true);
    const listen = { path };
    await startWithAdmin({ admin: { ...admin, listen } });
    const second = startTestGateway({ admin: { ...admin, listen }, workerPool: { threads: 1 } });
    await expect(second).rejects.toMatchObject({
      code: "listen_failed",
      message: expect.stringContaining("EADDRINUSE"),
    });

    const file = join(folder, "notes.txt");
    writeFileSync(file, "mine");
    const third = startTestGateway({ admin: { ...admin, listen: { path: file } }, workerPool: { threads: 1 } });
    await expect(third).rejects.toMatchObject({ code: "listen_failed" });
    expect(statSync(file).size).toBe(4);
  });
});

test("killed, the admin listener comes back on its port, and no client notices", async () => {
  const { inspect, living } = watchActors();
  const gateway = await startWithAdmin({ inspect });
  const client = await connectClient(urlOf(gateway));
  const before = gateway.adminAddress;
  const [actor] = living(named("admin"));
  kill(actor as AnyActorRef);
  await expect.poll(() => living(named("admin")).some((ref) => ref !== actor)).toBe(true);
  await expect.poll(() => askAdmin(gateway, "/api/health").catch(() => null)).toMatchObject({ status: 200 });
  expect(gateway.adminAddress).toEqual(before);
  expect((await client.request("add", { a: 1, b: 2 })).response.result).toBe(3);
  const { json } = await askAdmin(gateway, "/api/health");
  expect(json).toMatchObject({
    status: "degraded",
    isReady: true,
    reasons: [{ code: "actor_restarted", subject: "admin" }],
  });
  await client.close();
});

test("a port in use is told at the start, and nothing is left running", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const starting = startTestGateway({ admin: { ...admin, listen: { port } }, workerPool: { threads: 1 } });
  await expect(starting).rejects.toMatchObject({
    code: "listen_failed",
    message: `Cannot listen for operators on 127.0.0.1 port ${port}: it is in use already (EADDRINUSE); end what uses it, or change the option admin.listen`,
  });
  other.close();
});

describe("options of the admin listener that are wrong", () => {
  const start = (wrong: object) => startTestGateway({ admin: { ...admin, ...wrong } as never });

  test("are told by their path, and a token is not shown", async () => {
    await expect(start({ token: "short" })).rejects.toThrow("admin.token must be a secret of at least 16 characters");
    await expect(start({ token: "short" })).rejects.not.toThrow('"short"');
    await expect(start({ token: undefined })).rejects.toThrow("admin.token");
    for (const listen of ["4001", "127.0.0.1", "127.0.0.1:70000", "unix:", {}, { path: 5 }, 5]) {
      await expect(start({ listen })).rejects.toThrow('admin.listen must be "HOST:PORT", "unix:PATH"');
    }
    for (const [listen, fault] of [
      [{ port: -1 }, "admin.listen.port must be a port from 0 to 65535, got -1"],
      [{ port: "4001" }, 'admin.listen.port must be a port from 0 to 65535, got "4001"'],
      [{ port: 4001, host: 5 }, 'admin.listen.host must be a host such as "127.0.0.1", got 5'],
      [{ port: 4001, hots: "x" }, 'admin.listen has unknown keys: "hots" (allowed: "host", "port")'],
    ] as const) {
      await expect(start({ listen })).rejects.toThrow(fault);
    }
  });

  test("an allowed host is a name that a request can have", async () => {
    for (const host of ["a.example:4001", "http://a.example", "a b", "a/b", "", 5]) {
      await expect(start({ allowedHosts: [host] })).rejects.toThrow(
        'admin.allowedHosts[0] must be a host name such as "gateway.internal", without a port',
      );
    }
  });

  test("a host that other machines reach needs insecure, and then addresses are taken for its name", async () => {
    await expect(start({ listen: "0.0.0.0:0" })).rejects.toThrow("admin.listen must be a host of this machine");
    const gateway = await startWithAdmin({ admin: { ...admin, listen: "0.0.0.0:0", insecure: true } });
    const ask = (host: string) => askAdmin(gateway, "/api/health", { headers: { host } });
    expect((await ask("192.168.0.7:4001")).status).toBe(200);
    expect((await ask("evil.example:4001")).status).toBe(403);
  });
});
