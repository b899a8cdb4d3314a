import { startGenApi } from "gen-api";
import { describe, expect, test } from "vitest";
import { type LogLevel, logLevels } from "../../src/telemetry/log/log-lines.ts";
import type { Logger } from "../../src/telemetry/log/logger.ts";
import { telemetryEvent } from "../../src/telemetry/telemetry.ts";

type Line = { readonly level: LogLevel; readonly event: string } & Readonly<Record<string, unknown>>;

const secret = "SECRET-4711";

function logFrom(lowest: LogLevel): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const write = (level: LogLevel) => (record: object) => void lines.push({ level, ...record } as Line);
  const methods = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  return { lines, ...methods, isLevelEnabled: (level) => logLevels.indexOf(level) >= logLevels.indexOf(lowest) };
}

const refuse = { module: "main", function: "refuse", args: ["closed today"] };
const main = { service: "bank", nodes: "local", runOn: "main", timeout: 1_000, argTypes: { msg: "string" } } as const;

function start(logger: Logger) {
  return startGenApi({
    name: "g",
    modules: { main: new URL("../fixtures/main-functions.js", import.meta.url) },
    workerPool: { threads: 1 },
    functions: [
      { ...main, requestType: "echo", mfa: "main.echo" },
      { ...main, requestType: "admins", version: "2.0.0", mfa: "main.echo", checkPermission: { role: ["admin"] } },
      { ...main, requestType: "users", mfa: "main.echo", checkPermission: "any_authenticated" },
      { ...main, requestType: "callback", mfa: "main.echo", permissionCallback: "main.truthy" },
      { ...main, requestType: "limited", mfa: "main.echo" },
      { ...main, requestType: "typed", mfa: "main.echo", argTypes: { msg: "num" } },
      { ...main, requestType: "disabled", mfa: "main.echo", disabled: true },
      { ...main, requestType: "slow", mfa: "main.never", timeout: 100 },
      { ...main, requestType: "sold_out", mfa: "main.fail" },
      { ...main, requestType: "boom", mfa: "main.boom" },
      { ...main, requestType: "hooked", mfa: "main.echo", beforeExecute: refuse },
      { ...main, requestType: "retried", mfa: "main.reject", retry: 1 },
    ],
    rateLimiter: {
      apiLimits: [{ service: "bank", requestType: "limited", key: "userId", maxRequests: 1, windowMs: 60_000 }],
    },
    logger,
  });
}

/** The lines of requests, as level, event and error_code. */
const shown = (lines: readonly Line[]) =>
  lines
    .filter(({ request_type }) => request_type !== undefined)
    .map(({ level, event, error_code }) => [level, event, error_code].filter((part) => part !== undefined).join(" "));

const ask = { service: "bank", args: { msg: secret }, userId: "alice" };

describe("at level info", () => {
  test("denials are logged for auditing, with who, what and why, without argument values", async () => {
    const log = logFrom("info");
    await using gateway = await start(log);
    await gateway.request({ ...ask, requestType: "admins" });
    await gateway.request({ ...ask, requestType: "users", userId: null });
    await gateway.request({ ...ask, requestType: "callback" });
    const denied = log.lines.filter(({ error_code }) => error_code === "permission_denied");
    const line = { level: "info", event: "executor.request.stop", gateway: "g", service: "bank", success: false };
    expect(denied).toMatchObject([
      { ...line, request_type: "admins", version: "2.0.0", user_id: "alice", request_id: expect.any(String) },
      { ...line, request_type: "users" },
      { ...line, request_type: "callback", user_id: "alice" },
    ]);
    expect(denied[1]).not.toHaveProperty("user_id");
    expect(JSON.stringify(log.lines)).not.toContain(secret);
  });

  test.each([
    ["limited", "rate_limited", ["info executor.request.stop rate_limited"]],
    ["typed", "invalid_argument", ["info executor.request.stop invalid_argument"]],
    ["missing", "not_found", ["info executor.request.stop not_found"]],
    ["disabled", "disabled", ["info executor.request.stop disabled"]],
    ["slow", "timeout", ["info executor.request.stop timeout"]],
    ["sold_out", "failed", ["info executor.request.stop failed"]],
    ["boom", "internal", ["error executor.request.exception"]],
    ["hooked", "hook_rejected", ["warn hook.before.exception"]],
    [
      "retried",
      "retry_exhausted",
      [
        "error executor.request.exception",
        "info executor.retry internal",
        "error executor.request.exception",
        "warn executor.retry.exhausted",
      ],
    ],
  ])("a request of %s that fails with %s is logged once for what went wrong", async (requestType, code, expected) => {
    const log = logFrom("info");
    await using gateway = await start(log);
    await gateway.request({ ...ask, requestType: "limited" });
    expect(await gateway.request({ ...ask, requestType })).toMatchObject({ success: false, error_code: code });
    expect(shown(log.lines)).toEqual(expected);
    expect(log.lines.find(({ request_type }) => request_type !== undefined)).toMatchObject({ user_id: "alice" });
    expect(JSON.stringify(log.lines)).not.toContain(secret);
  });

  test("a request that succeeds is not", async () => {
    const log = logFrom("info");
    await using gateway = await start(log);
    expect(await gateway.request({ ...ask, requestType: "echo" })).toMatchObject({ success: true });
    expect(shown(log.lines)).toEqual([]);
  });
});

test("at level warn nobody looks at requests that clients alone are to blame for", async () => {
  const log = logFrom("warn");
  await using gateway = await start(log);
  await gateway.request({ ...ask, requestType: "admins" });
  expect(telemetryEvent("executor.request.stop").active).toBe(false);
  expect(shown(log.lines)).toEqual([]);
});
