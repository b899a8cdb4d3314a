import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { connectRaw, type RawClient } from "../../support/network/raw-client.ts";
import { GatewayProcesses } from "./gateway-processes.ts";
import { final } from "./gateways.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.RUNS ?? 8);

type Started = Awaited<ReturnType<GatewayProcesses["start"]>>;

let server: NatsServer;
let processes: GatewayProcesses;
const gateways: Started[] = [];
beforeAll(async () => {
  server = await NatsServer.start();
  processes = new GatewayProcesses(server);
  for (let count = 0; count < 3; count++) gateways.push(await processes.start());
}, 60_000);
afterAll(async () => {
  await processes[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

interface Step {
  readonly key: number;
  readonly gateway: number;
  /** The socket goes at once; the request is sent again, on the next gateway. */
  readonly isCut: boolean;
  /** The next step waits until the gateway has read this one. */
  readonly isSlow: boolean;
}

interface Plan {
  readonly requestType: string;
  readonly ms: number;
  readonly steps: readonly Step[];
  /** After which step a gateway is killed, and which; null for none. */
  readonly death: { readonly after: number; readonly gateway: number } | null;
}

let count = 0;

async function follow({ requestType, ms, steps, death }: Plan): Promise<void> {
  const run = ++count;
  const dead = new Set<string>();
  const clients: RawClient[] = [];
  const answers: Promise<{ key: number; response: Record<string, unknown> }>[] = [];

  /** Sends a request, over another gateway when the socket is lost. */
  async function send({ key, gateway, isSlow }: Step, id: string, isCut: boolean): Promise<RawClient> {
    const { process } = gateways[gateway] as Started;
    const client = await connectRaw(`${process.url}/websocket?vsn=2.0.0&user_id=u1`);
    clients.push(client);
    await client.join("api:x", "1");
    const args = { name: `${run}-${key}`, ms };
    const request = { service: "across", request_type: requestType, request_id: id, args };
    client.send(["1", id, "api:x", "api", { ...request, idempotency_key: `k${run}-${key}` }]);
    if (isSlow) await client.settled();
    if (isCut) client.socket.terminate();
    return client;
  }

  async function answerTo(step: Step, id: string) {
    let isCut = step.isCut;
    for (let gateway = step.gateway; ; gateway = (gateway + 1) % gateways.length) {
      try {
        const client = await send({ ...step, gateway }, id, isCut);
        return { key: step.key, response: await final(client, id) };
      } catch {
        // The socket was cut, or its gateway is dead.
        isCut = false;
      }
    }
  }

  for (const [at, step] of steps.entries()) {
    const answer = answerTo(step, `r${at}`);
    answers.push(answer);
    if (step.isSlow) await answer;
    if (death?.after !== at) continue;
    const { name, process } = gateways[death.gateway] as Started;
    dead.add(name);
    await process.kill();
  }
  const responses = await Promise.all(answers);
  for (const client of clients) client.socket.terminate();
  if (death !== null) gateways[death.gateway] = await processes.start();

  for (let key = 0; key < 3; key++) {
    const runs = processes.runs.filter(({ name }) => name === `${run}-${key}`);
    const ofLiving = runs.filter(({ by }) => !dead.has(by));
    // At most once as long as the gateway lives that executes it.
    expect(ofLiving.length).toBeLessThanOrEqual(1);
    expect(runs.length - ofLiving.length).toBeLessThanOrEqual(1);
    const finals = responses.filter((answer) => answer.key === key).map(({ response }) => response);
    for (const { request_id: _id, replayed: _replayed, ...response } of finals) {
      const executed = runs.map(({ result }) => result);
      if (response.success) expect(executed).toContain(response.result);
      else expect([response.error_code, dead.size]).toEqual(["unavailable", 1]);
      if (dead.size === 0) expect(response).toMatchObject({ success: true, result: executed[0], can_retry: false });
    }
  }
}

const plan = fc.record({
  requestType: fc.constantFrom("on_worker", "on_main", "async"),
  ms: fc.constantFrom(0, 5, 40),
  steps: fc.array(fc.record({ key: fc.nat(2), gateway: fc.nat(2), isCut: fc.boolean(), isSlow: fc.boolean() }), {
    minLength: 1,
    maxLength: 12,
  }),
  death: fc.option(fc.record({ after: fc.nat(5), gateway: fc.nat(2) }), { freq: 2 }),
});

test(`whichever gateways repeated requests reach, and whatever dies, a key is executed at most once while its owner lives, and all get the same Response (seed ${seed})`, async () => {
  await fc.assert(fc.asyncProperty(plan, follow), { seed, numRuns, endOnFailure: true });
}, 240_000);
