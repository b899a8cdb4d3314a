import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { link } from "gen-api/link";
import { expect, test } from "vitest";
import stopping from "../fixtures/stopping.js";
import { send } from "../support/admin.ts";
import { keep } from "../support/cluster.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { Notes } from "../support/notes.ts";

const portOf = (url: string) => ({ port: Number(new URL(url).port) });

test("a gateway's own port answers both probes, to whoever asks", async () => {
  const gateway = keep(await startTestGateway());
  const to = portOf(urlOf(gateway));
  expect(await send(to, "/healthz")).toMatchObject({ status: 200, json: { alive: true } });
  expect(await send(to, "/readyz?verbose")).toMatchObject({ status: 200, json: { ready: true, reasons: [] } });
  expect(await send(to, "/readyz", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  expect(await send(to, "/readyz", { method: "POST" })).toMatchObject({ status: 405 });
  expect(await send(to, "/readyzz")).toMatchObject({ status: 404 });
});

test("it is alive but not ready while an expected service is missing", async () => {
  const gateway = keep(await startTestGateway({ cluster: link(), expectServices: ["orders"] }));
  const to = portOf(urlOf(gateway));
  expect(await send(to, "/healthz")).toMatchObject({ status: 200 });
  expect(await send(to, "/readyz")).toMatchObject({
    status: 503,
    json: { ready: false, reasons: [{ code: "service_missing", subject: "orders" }] },
  });
  expect(gateway.diagnostics.health()).toMatchObject({ status: "degraded", isReady: false });
});

test("on a host's own server the host hands over the probes, which say that the gateway drains", async () => {
  const server = createServer((request, response) => {
    if (!gateway.handleProbe(request, response)) response.end("the host's own");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const to = { port: (server.address() as AddressInfo).port };
  using notes = new Notes();
  const modules = { hooks: new URL("../fixtures/stopping.js", import.meta.url) };
  const gateway = keep(await startTestGateway({ listen: false, server, functions: [stopping], modules }));
  expect((await send(to, "/")).text).toBe("the host's own");
  expect(await send(to, "/readyz")).toMatchObject({ status: 200 });
  const call = gateway.request({ service: "stopping", requestType: "waits", args: { text: "go" } });
  await notes.next("go began");
  const stopped = gateway.stop({ drainMs: 20_000 });
  expect(await send(to, "/readyz")).toMatchObject({ status: 503, json: { reasons: [{ code: "draining" }] } });
  expect(await send(to, "/healthz")).toMatchObject({ status: 200 });
  notes.tell("go");
  expect(await call).toMatchObject({ success: true });
  await stopped;
  expect(gateway.diagnostics.health()).toMatchObject({ status: "down", isReady: false });
  server.close();
});
