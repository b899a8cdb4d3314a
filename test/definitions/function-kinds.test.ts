import { type FunConfigInput, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { describe, expect, test } from "vitest";
import wrapped from "../fixtures/definitions/kinds.js";
import { startGateway } from "../support/cluster.ts";

const modules = { m: new URL("../fixtures/definitions/kinds.js", import.meta.url) };
const configOf = (more: Partial<FunConfigInput>): FunConfigInput => ({
  service: "s",
  requestType: "t",
  nodes: "local",
  timeout: 5_000,
  mfa: "m.plain",
  ...more,
});

const wrong: readonly (readonly [string, Partial<FunConfigInput>, string])[] = [
  [
    "a generator",
    { mfa: "m.numbers" },
    'mfa (m.numbers) is a generator, whose responseType must be "stream", got "sync"',
  ],
  [
    "an async generator that is answered later",
    { mfa: "m.laterNumbers", responseType: "async" },
    'mfa (m.laterNumbers) is a generator, whose responseType must be "stream", got "async"',
  ],
  ["a class", { mfa: "m.Account" }, "mfa (m.Account) must be a function, got a class, which only `new` can call"],
  [
    "a class as stream",
    { mfa: "m.Account", responseType: "stream" },
    "mfa (m.Account) must be a function, got a class",
  ],
  [
    "a generator as permission callback",
    { permissionCallback: "m.numbers" },
    "permissionCallback (m.numbers) must return one value, got a generator",
  ],
];

describe("refused when it is registered, with the function and the field, is", () => {
  test.each(
    wrong.flatMap(([what, more, message]) =>
      (["worker", "main"] as const).map((runOn) => ({ what, more: { ...more, runOn }, message, runOn })),
    ),
  )("$what on $runOn", async ({ more, message }) => {
    const refused = { code: "invalid_config", message: expect.stringContaining(message) };
    const gateway = await startGateway({ modules });
    await expect(gateway.configCache.add(configOf(more))).rejects.toMatchObject(refused);
    const node = startServiceNode({
      name: "n@1",
      modules,
      functions: [configOf(more)],
      cluster: link({ gateways: ["ws://127.0.0.1:9/node"] }),
    });
    await expect(node).rejects.toMatchObject(refused);
  });

  test.each(["beforeExecute", "afterExecute"] as const)("a generator as %s", async (field) => {
    const gateway = await startGateway({ modules });
    await expect(gateway.configCache.add(configOf({ [field]: "m.numbers" }))).rejects.toMatchObject({
      code: "invalid_config",
      message: `Invalid FunConfig s.t: ${field} (m.numbers) must return one value, got a generator`,
    });
  });

  test("nothing of what can be called", async () => {
    const gateway = await startGateway({ modules });
    await gateway.configCache.batchAdd([
      configOf({}),
      configOf({ requestType: "u", mfa: "m.numbers", responseType: "stream" }),
      configOf({ requestType: "v", mfa: "m.laterNumbers", responseType: "stream", runOn: "main" }),
    ]);
    expect(await gateway.call({ service: "s", requestType: "t" })).toBe("plain");
  });
});

describe("what a function returns in place of a result fails with the reason, where it could not be known before:", () => {
  test.each([
    ["generator", "The result is a generator"],
    ["later", "The result is a generator"],
    ["readable", "The result is an async iterable"],
    ["web", "The result is an async iterable"],
    ["iterator", "The result is an iterator"],
    ["nested", 'The result\'s "page" is a generator'],
    ["on_main", "The result is a generator"],
  ])("%s", async (requestType, message) => {
    const gateway = await startGateway({ functions: [wrapped], detailError: true });
    const { error, error_code } = await gateway.request({ service: "wrapped", requestType });
    expect(error_code).toBe("internal");
    expect(error).toContain(message);
    expect(error).toContain('or give the function responseType "stream"');
  });

  test("while a stream of the same function has its chunks", async () => {
    const gateway = await startGateway({ functions: [wrapped] });
    const chunks: unknown[] = [];
    for await (const chunk of gateway.stream({ service: "wrapped", requestType: "stream" })) chunks.push(chunk);
    expect(chunks).toEqual([1]);
  });
});
