import { expect, test } from "vitest";
import { hostShare, type Share, shareOf } from "../../src/core/fair/share.ts";
import type { GatewaySession } from "../../src/node/gateway-session.ts";
import { SharesOfGateway } from "../../src/node/wire/share-codec.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";
import { createManualPipe } from "./pipes.ts";
import { createCall, createGatewayHost, createNodeHost, createStream, ScriptedExecutor } from "./sessions.ts";

/** What a node takes the shares of these calls for; and every byte that went to it. */
async function sharesAtNode(shares: readonly (Share | undefined)[]) {
  const clock = new SimulatedClock();
  const executor = new ScriptedExecutor();
  const gateway = createGatewayHost({ clock });
  const node = createNodeHost({ clock, executor });
  const [gatewayPipe, nodePipe] = createManualPipe();
  gatewayPipe.receiver = gateway.connected(gatewayPipe);
  nodePipe.receiver = node.connected(nodePipe);
  const sent: Uint8Array[] = [];
  const pump = async () => {
    do {
      await settled();
      sent.push(...gatewayPipe.sent);
    } while (gatewayPipe.deliver() + nodePipe.deliver() > 0);
  };
  await pump();
  const session = gateway.sessions[0] as GatewaySession;
  for (const share of shares) session.run(createCall(share === undefined ? {} : { share }).call);
  session.stream(createStream({ share: shares[0] as Share }).stream);
  await pump();
  return { calls: executor.calls, streams: executor.streams, bytes: Buffer.concat(sent).toString("latin1") };
}

test("a node knows which calls are of one connection and of one identity, and not who that is", async () => {
  const first = shareOf("alice@example.com", null, "c1");
  const second = shareOf("alice@example.com", null, "c2");
  const other = shareOf(null, "203.0.113.7", "c3");
  const { calls, streams, bytes } = await sharesAtNode([first, first, second, other]);
  const [one, again, two, three] = calls.map(({ share }) => share as Share);
  expect(again).toBe(one);
  expect(streams[0]?.share).toBe(one);
  expect(two?.identity).toBe(one?.identity);
  expect(two?.connection).not.toBe(one?.connection);
  expect(three?.identity).not.toBe(one?.identity);
  expect(bytes).not.toContain("alice");
  expect(bytes).not.toContain("203.0.113");
});

test("the calls of a gateway's host are of no client at the node either", async () => {
  const { calls } = await sharesAtNode([hostShare, undefined, shareOf("u", null, "c1")]);
  expect(calls.map(({ share }) => share === hostShare)).toEqual([true, true, false]);
});

test("two gateways' clients with the same numbers are two", () => {
  const one = new SharesOfGateway().unpack([1, 2], "a") as Share;
  const other = new SharesOfGateway().unpack([1, 2], "b") as Share;
  expect(one.identity).not.toBe(other.identity);
  expect(one.connection).not.toBe(other.connection);
});

test("a node forgets connections that are gone: it keeps a bounded number of shares", () => {
  const shares = new SharesOfGateway();
  const first = shares.unpack([1, 0], "a");
  for (let connection = 1; connection <= 65_536; connection++) shares.unpack([1, connection], "a");
  expect(shares.unpack([1, 0], "a")).not.toBe(first);
  expect(shares.unpack([1, 0], "a")).toEqual(first);
});
