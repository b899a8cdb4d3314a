import { expect, test } from "vitest";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

test("streams whose source waits for ever, and calls that never settle, do not hold their places when they are given up", async () => {
  await using gateway = await startTestGateway({ workerPool: { threads: 2, streamPoolSize: 1, asyncPoolSize: 1 } });
  await using client = await connectClient(urlOf(gateway));
  for (let round = 0; round < 3; round++) {
    const quiet = await connectClient(urlOf(gateway));
    const begun = new Promise((resolve) => quiet.channel.on("api", resolve));
    quiet.channel.push("api", { service: "test", request_type: "quiet", request_id: "q" });
    expect(await begun).toMatchObject({ result: "init" });
    await quiet.close();
    const chunks: unknown[] = [];
    for await (const chunk of gateway.stream({ service: "test", requestType: "count", args: { to: 3 } }))
      chunks.push(chunk);
    expect(chunks).toEqual([1, 2, 3]);
    expect((await client.request("never")).response.error_code).toBe("timeout");
    expect((await client.request("echo", { msg: round })).response.result).toBe(round);
  }
});

test("a host's call of an async function waits for its result, and one of a stream is told to use stream()", async () => {
  await using gateway = await startTestGateway();
  expect(await gateway.call({ service: "test", requestType: "later", args: { msg: "late" } })).toBe("late");
  await expect(gateway.call({ service: "test", requestType: "count", args: { to: 1e9 } })).rejects.toMatchObject({
    code: "invalid_request",
    message: "Invalid request: test.count is a stream: take it with stream()",
  });
});
