import { expect, test } from "vitest";
import { describeTransport } from "../transport-contract.ts";
import { local } from "./local.ts";
import { createLocalPipe } from "./local-pipe.ts";

describeTransport("the local transport", () => {
  const transport = local();
  return { gateway: transport, node: () => transport, close: async () => undefined };
});

test("a local pipe copies what is sent: both ends may use their memory again", async () => {
  const [here, there] = createLocalPipe("node", "gateway");
  const received = new Promise<string>((resolve) => {
    const receiver = { isUp: true, closed: () => undefined };
    here.open({ ...receiver, received: () => undefined }, () => undefined);
    there.open({ ...receiver, received: (message) => resolve(Buffer.from(message).toString()) }, () => undefined);
  });
  const message = Buffer.from("hello");
  here.send(message);
  message.fill(0);
  expect(await received).toBe("hello");
  expect([here.peer, there.peer]).toEqual(["local:gateway", "local:node"]);
});
