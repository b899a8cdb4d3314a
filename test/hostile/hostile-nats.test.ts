import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { NatsServer } from "../support/nats/nats-server.ts";
import { connectRaw, type RawClient } from "../support/network/raw-client.ts";
import { until } from "../support/until.ts";
import { messages, publications } from "./bytes.ts";
import { HostileGateway } from "./hostile-gateway.ts";
import { type Manner, NatsStranger } from "./nats-stranger.ts";
import { type BurstRequest, burst } from "./request-burst.ts";

// As much as it takes by default.
const maxPayload = 1_048_576;

let server: NatsServer;
let stranger: NatsStranger;
let gateway: HostileGateway;
let calm: RawClient;

const neighbour = (requestType: string): BurstRequest => {
  return { service: "s", requestType, args: { value: 1 }, kind: "call", name: `neighbour ${requestType}` };
};

/** A call of the node is answered: a stranger may cut its pipe, which it opens again. */
async function nodeAnswers(): Promise<void> {
  await until(() => gateway.nodeAnswers());
}

beforeAll(async () => {
  server = await NatsServer.start({ config: `max_payload: ${maxPayload}` });
  // It hears all of them from the start.
  stranger = await NatsStranger.connect(server.url);
  gateway = await HostileGateway.start(server.url);
  calm = await connectRaw(gateway.url());
  await calm.join("api:calm");
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await stranger?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

// The process lives, nothing reached its last resort, and others are served: those of the gateway all the time, those of
// the node as soon as it is back.
afterEach(async () => {
  expect(gateway.isAlive, "the gateway's process has ended").toBe(true);
  expect(await burst(calm, "api:calm", [neighbour("echo"), neighbour("echo_main")])).toEqual([]);
  await nodeAnswers();
  expect(await gateway.lastResort()).toEqual([]);
  stranger.forgetPipes();
});

const rows = [...messages, ...publications].map(
  ([name, message]) => [name, Buffer.from(message as string).subarray(0, maxPayload)] as const,
);
// A node takes its time to come back after a gateway's nonsense: longer each time.
const fewRows = rows.filter(([, message]) => message[0] !== undefined && message[0] >= 0x80).slice(-8);

describe.each<[Manner, typeof rows]>([
  ["without a reply subject", rows],
  ["with a reply subject", rows],
  ["as the node's next message", rows],
  ["as the gateway's", fewRows],
])("a gateway and its node live when a stranger on NATS publishes %s", (manner, published) => {
  test.each(published)("%s", async (_, message) => {
    await nodeAnswers();
    // Of a pipe that is just open it has heard nothing yet.
    await until(async () => (await stranger.publish(message, manner)).length > 0);
  });

  test("thousands at once", async () => {
    for (const [, message] of published) {
      if (message.length < 1_000) await stranger.publish(message, manner, 20);
    }
  });
});

test("the stranger hears of all subjects that they listen to", async () => {
  await nodeAnswers();
  const kinds = [/\.gateways$/, /\.discover$/, /\.gateway$/, /\.open$/, /\.up\..*\.m$/, /\.down\..*\.m$/, /\.inbox\./];
  const unheard = () => kinds.filter((kind) => !stranger.subjects.some((subject) => kind.test(subject)));
  // A pipe that has just been opened anew has carried nothing yet.
  await until(() => unheard().length === 0).catch(() => expect(unheard()).toEqual([]));
});
