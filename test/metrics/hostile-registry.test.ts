import { metrics } from "gen-api/metrics";
import { Gauge, Registry } from "prom-client";
import { expect, test } from "vitest";
import { adminToken, askAdmin } from "../support/admin.ts";
import { keep } from "../support/cluster.ts";
import { startTestGateway } from "../support/gateway.ts";

/** A registry that gives these instead of its text and content type. */
function registryOf(given: { text?: () => unknown; contentType?: unknown }): Registry {
  const registry = new Registry();
  if (given.text !== undefined) registry.metrics = given.text as () => Promise<string>;
  if ("contentType" in given) Object.defineProperty(registry, "contentType", { value: given.contentType });
  return registry;
}

function withGauge(collect: () => void): Registry {
  const registry = new Registry();
  new Gauge({ name: "hosts_own", help: "The host's own", registers: [registry], collect });
  return registry;
}

const unreadable = new Proxy({}, { get: raise, ownKeys: raise, getPrototypeOf: raise });
function raise(): never {
  throw new Error("unreadable");
}
function raiseUnreadable(): never {
  throw unreadable;
}

const registries: Record<string, Registry> = {
  "its text is thrown": registryOf({ text: raise }),
  "an object that nobody can read is thrown": registryOf({ text: raiseUnreadable }),
  "a promise of its text rejects with nothing": registryOf({ text: () => Promise.reject() }),
  "its text is a number": registryOf({ text: () => 5 }),
  // biome-ignore lint/suspicious/noThenProperty: that is the point
  "its text has a `then` that throws": registryOf({ text: () => Object.defineProperty({}, "then", { get: raise }) }),
  "a gauge of the host throws": withGauge(raise),
  "a gauge of the host rejects": withGauge(() => Promise.reject(new Error("no reading")) as never),
  "its content type has two lines": registryOf({ contentType: "text/plain\r\nset-cookie: a=1" }),
  "its content type is no Latin text": registryOf({ contentType: "☃" }),
  "its content type is a symbol": registryOf({ contentType: Symbol("text/plain") }),
  "its content type is missing": registryOf({ contentType: undefined }),
};

test.for(Object.entries(registries))(
  "/metrics answers 500, and the next page is served, when %s",
  async ([, registry]) => {
    const admin = { listen: "127.0.0.1:0", token: adminToken };
    const gateway = keep(await startTestGateway({ admin, metrics: metrics({ registry }), workerPool: { threads: 1 } }));
    const { status, json } = await askAdmin(gateway, "/metrics");
    expect(status).toBe(500);
    expect(json.error.code).toBe("internal");
    expect((await askAdmin(gateway, "/api/health")).status).toBe(200);
  },
);
