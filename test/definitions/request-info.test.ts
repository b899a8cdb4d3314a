import { describe, expect, test } from "vitest";
import { startGateway, startNode } from "../support/cluster.ts";

const { onThreads, onMain, onNode } = await import(new URL("../fixtures/definitions/wrapped.js", import.meta.url).href);

describe("a handler gets its RequestInfo, however it is wrapped,", () => {
  test("on threads, on the main thread and on service nodes", async () => {
    const gateway = await startGateway({ functions: [onThreads, onMain] });
    const node = await startNode([gateway], { name: "n@1", functions: [onNode] });
    await node.connected();
    for (const { service, functions } of [onThreads, onMain, onNode]) {
      for (const { requestType, responseType } of functions) {
        const request = { service, requestType, userId: "alice" };
        const expected = requestType === "opted_out" ? 1 : "alice";
        if (responseType === "stream") {
          for await (const chunk of gateway.stream(request)) expect(chunk, `${service} ${requestType}`).toBe(expected);
        } else {
          expect(await gateway.call(request), `${service} ${requestType}`).toBe(expected);
        }
      }
    }
  });
});
