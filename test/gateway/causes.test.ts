import { type Gateway, GenApiError, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { beforeAll, describe, expect, test } from "vitest";
import failing from "../fixtures/failing.js";
import { nodeUrlOf } from "../support/cluster.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

/** What a call, or the stream after its chunks, throws. */
async function thrownBy(gateway: Gateway, requestType: string): Promise<GenApiError> {
  const request = { service: "failing", requestType };
  try {
    if (!requestType.endsWith("Stream")) await gateway.call(request);
    else for await (const chunk of gateway.stream(request)) expect(chunk).toBe(1);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(GenApiError);
    return thrown as GenApiError;
  }
  return expect.fail("nothing was thrown");
}

const causes = [
  ["throws", { name: "TypeError", message: expect.stringContaining("Cannot read properties of undefined") }],
  ["throwsOnMain", { name: "TypeError", message: expect.stringContaining("Cannot read properties of undefined") }],
  ["rejects", { name: "TypeError", message: "upstream is gone" }],
  ["lateStream", { name: "RangeError", message: "no second chunk" }],
] as const;

const ownCauses = [
  ["bigInt", { message: expect.stringContaining("a BigInt") }],
  ["circular", { message: expect.stringContaining("circular") }],
  ["circularOnMain", { message: expect.stringContaining("circular") }],
  ["noStream", { message: expect.stringContaining("must be a generator") }],
] as const;

describe.each(["the gateway", "a service node"])("what the host's call of a function on %s throws", (place) => {
  let gateway: Gateway;
  beforeAll(async () => {
    if (place === "the gateway") {
      gateway = await startTestGateway({ listen: false, functions: [failing] });
      return () => gateway.stop();
    }
    gateway = await startTestGateway({ functions: [], cluster: link() });
    const cluster = link({ gateways: [nodeUrlOf(gateway)] });
    const node = await startServiceNode({
      logger: false,
      name: "n",
      functions: [failing],
      workerPool: { threads: 1 },
      cluster,
    });
    await node.connected();
    return async () => {
      await node.stop();
      await gateway.stop();
    };
  });

  test.each(causes)("has what %s threw as its cause, with the stack", async (requestType, cause) => {
    const error = await thrownBy(gateway, requestType);
    expect(error).toMatchObject({ code: "internal", message: "Internal Server Error", cause });
    expect((error.cause as Error).stack).toContain("failing.js");
  });

  test.each(ownCauses)("has what was wrong with what %s returned as its cause", async (requestType, cause) => {
    expect(await thrownBy(gateway, requestType)).toMatchObject({ code: "internal", cause });
  });

  test("has the cause of a GenApiError that a function threw", async () => {
    const cause = { message: "the shelf is empty" };
    expect(await thrownBy(gateway, "soldOut")).toMatchObject({ code: "failed", reason: "sold_out", cause });
  });

  test("has the failure of the last attempt as its cause, where there were several", async () => {
    const cause = { code: "internal", cause: { message: "each time anew" } };
    expect(await thrownBy(gateway, "retried")).toMatchObject({ code: "retry_exhausted", cause });
  });

  test("has no cause where the request was refused", async () => {
    expect(await thrownBy(gateway, "missing")).not.toHaveProperty("cause");
  });
});

test("neither `request` nor a client gets anything of the cause", async () => {
  await using gateway = await startTestGateway({ functions: [failing] });
  await using client = await connectClient(urlOf(gateway), { service: "failing" });
  for (const requestType of ["throws", "throwsOnMain", "bigInt", "soldOut", "retried"]) {
    const response = await gateway.request({ service: "failing", requestType });
    expect(response.success).toBe(false);
    const answer = await client.request(requestType);
    for (const each of [response, answer.response, answer.reply]) {
      expect(JSON.stringify(each)).not.toMatch(/failing\.js|Cannot read|BigInt|shelf|anew/);
    }
  }
});
