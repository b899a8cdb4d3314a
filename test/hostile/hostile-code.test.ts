import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { connectRaw, type RawClient } from "../support/network/raw-client.ts";
import { behaviours } from "./behaviours.js";
import { HostileGateway } from "./hostile-gateway.ts";
import { connectPlaces, fewBehaviours, joinPlaces, otherPlaces, requestPlaces, sharedPlaces } from "./places.ts";
import { type BurstRequest, burst } from "./request-burst.ts";

// Small enough for every limit of a connection, large enough that neighbours share messages to threads and nodes.
const rowsPerBurst = 40;

let gateway: HostileGateway;
let client: RawClient;

beforeAll(async () => {
  gateway = await HostileGateway.start();
  client = await connectRaw(gateway.url());
  await client.join("api:calm");
});

afterAll(() => gateway[Symbol.asyncDispose]());

// Without an end of the process: one that listens to these would have ended.
afterEach(async () => {
  expect(gateway.isAlive, "the gateway's process has ended").toBe(true);
  expect(await gateway.lastResort()).toEqual([]);
});

function neighbours(row: number): BurstRequest[] {
  return ["echo", "echo_main"].map((requestType) => ({
    service: "s",
    requestType,
    args: { value: row },
    kind: "call",
    name: `neighbour ${requestType} beside ${behaviours[row]?.name}`,
  }));
}

/**
 * Every behaviour at one place, each between two calm calls.
 *
 * @param times how often each request is sent
 * @returns what was not answered as it has to be
 */
async function everyBehaviour(request: (row: number) => Omit<BurstRequest, "name">, times = 1): Promise<string[]> {
  const wrong: string[] = [];
  for (let from = 0; from < behaviours.length; from += rowsPerBurst) {
    const rows = behaviours.slice(from, from + rowsPerBurst).map(({ name }, at) => ({ name, row: from + at }));
    const requests = rows.flatMap(({ name, row }) => [
      ...Array.from({ length: times }, () => ({ ...request(row), name })),
      ...neighbours(row),
    ]);
    wrong.push(...(await burst(client, "api:calm", requests)));
    for (const fault of await gateway.lastResort())
      wrong.push(`one of ${rows.map(({ name }) => name).join(", ")}: ${fault}`);
  }
  return wrong;
}

describe("whatever code does, its request has one final Response and its neighbours have theirs:", () => {
  const serviceOf = (requestType: string) => (requestType.startsWith("node_") ? "n" : "s");

  for (const [name, requestType, kind, spec = {}, asks] of requestPlaces) {
    test(name, async () => {
      const service = serviceOf(requestType);
      const wrong = await everyBehaviour((row) => {
        return { service, requestType, kind, args: { spec: { ...spec, row } }, asks };
      });
      expect(wrong).toEqual([]);
    });
  }

  test.each(sharedPlaces)("a call that several requests share: %s", async (requestType) => {
    const wrong = await everyBehaviour((row) => {
      const asks = { idempotency_key: `${requestType} ${row}` };
      return { service: serviceOf(requestType), requestType, kind: "call", args: { spec: { row } }, asks };
    }, 3);
    expect(wrong).toEqual([]);
  });

  test("a resolver of nodes", async () => {
    const wrong = await everyBehaviour((row) => ({
      service: "s",
      requestType: `resolver_${row}`,
      kind: "call",
      args: { spec: {} },
    }));
    expect(wrong).toEqual([]);
  });

  test.each(otherPlaces)("the %s", async (place) => {
    const wrong: string[] = [];
    for (const [row, { name }] of behaviours.entries()) {
      await gateway.arm(place, row);
      client.send(["j", "j", `api:${place}`, "phx_join", {}]);
      client.send(["j", "l", `api:${place}`, "phx_leave", {}]);
      const missing = await burst(client, "api:calm", neighbours(row));
      await gateway.arm(null, 0);
      const faults = await gateway.lastResort();
      wrong.push(...missing, ...faults.map((fault) => `${name}: ${fault}`));
    }
    expect(wrong).toEqual([]);
  });
});

test("whatever a module does when it is imported anew, calls go on with the code before", async () => {
  const echo = {
    service: "reloaded",
    requestType: "echo",
    args: {},
    kind: "call",
    name: "neighbour of a reload",
  } as const;
  for (const name of fewBehaviours) {
    const row = behaviours.findIndex((behaviour) => behaviour.name === name);
    expect(await gateway.reload(row), name).toBe("module_unreadable");
    expect(await burst(client, "api:calm", [echo, ...neighbours(row)])).toEqual([]);
  }
});

test.each(joinPlaces)("whatever join does, the join is answered once and its connection lives: %s", async (what) => {
  const wrong: string[] = [];
  client.frames.length = 0;
  for (const [row, { name }] of behaviours.entries()) {
    const topic = `hostile:${what}:${row}`;
    // A socket may have 100 topics.
    client.send([`${row}`, `join ${row}`, topic, "phx_join", {}]);
    const [, , , , reply] = await client.reply(`join ${row}`);
    const { status } = reply as { status: string };
    if (!["ok", "error"].includes(status)) wrong.push(`${name}: ${JSON.stringify(reply)}`);
    client.send([`${row}`, `leave ${row}`, topic, "phx_leave", {}]);
    await client.reply(`leave ${row}`);
    for (const fault of await gateway.lastResort()) wrong.push(`${name}: ${fault}`);
  }
  expect(wrong).toEqual([]);
  expect(client.frames.filter(([, ref]) => String(ref).startsWith("join "))).toEqual([]);
});

describe("whatever it does, its client is let in or refused, and nobody else notices:", () => {
  const attempts: Record<string, (row: number) => Promise<RawClient>> = {
    ...Object.fromEntries(
      connectPlaces.map((what) => [`connect: ${what}`, (row: number) => connectRaw(gateway.url(`&${what}=${row}`))]),
    ),
    allowedOrigins: (row) => connectRaw(gateway.url(), { origin: `http://row-${row}` }),
  };

  test.each(Object.entries(attempts))("%s", async (_, attempt) => {
    const wrong: string[] = [];
    for (let from = 0; from < behaviours.length; from += rowsPerBurst) {
      const rows = behaviours.slice(from, from + rowsPerBurst);
      const outcomes = await Promise.all(
        rows.map(async (_row, at) => {
          const outcome = await attempt(from + at).catch((error: unknown) => error as { status?: number });
          if (!("close" in outcome)) return outcome.status ?? String(outcome);
          // Whoever is let in may be asked about at any time.
          await outcome.join("api:calm");
          const args = { spec: { row: from + at } };
          const name = `claimed by ${rows[at]?.name}`;
          const asked = { service: "s", requestType: "claimed", args, kind: "call", name } as const;
          wrong.push(...(await burst(outcome, "api:calm", [asked])));
          await outcome.close();
          return 101;
        }),
      );
      for (const [at, status] of outcomes.entries()) {
        if (![101, 403, 500, 503].includes(status as number)) wrong.push(`${rows[at]?.name}: ${status}`);
      }
      wrong.push(...(await burst(client, "api:calm", neighbours(from))));
      for (const fault of await gateway.lastResort())
        wrong.push(`one of ${rows.map(({ name }) => name).join(", ")}: ${fault}`);
    }
    expect(wrong).toEqual([]);
  });
});
