import type { Gateway, GatewayOptions } from "gen-api";
import { nats } from "gen-api/nats";
import { describe, expect, test } from "vitest";
import { connect, keep, startGateway, startNodeProcess } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { NatsServer } from "../support/nats/nats-server.ts";
import type { Client } from "../support/phoenix-client.ts";
import type { NodeProcess } from "../support/processes/node-process.ts";

/** One request of a client that calls without pause. */
interface Called {
  /** When it was sent and answered, of `performance.now`. */
  readonly from: number;
  readonly to: number;
  /** Which node answered; else the error's code. */
  readonly answer: string;
}

/** Clients that call without pause, one request after another, until they are told to stop. */
class Load {
  readonly called: Called[] = [];
  /** How often each request was answered and replied to, by the client and what it calls it. */
  readonly #answers = new Map<string, number>();
  readonly #callers: Promise<void>[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #isOver = false;

  /** @param version named in every request; null names none */
  call(client: Client, version: string | null, callers = 5): this {
    const name = `${this.#callers.length}`;
    client.socket.onMessage(((message: { event: string; ref: string | null; payload: { request_id?: string } }) => {
      const { event, ref, payload } = message;
      if (event === "api") this.#count(`${name} response ${payload.request_id}`);
      if (event === "phx_reply" && payload.request_id === undefined) this.#count(`${name} reply ${ref}`);
      return message;
    }) as never);
    for (let caller = 0; caller < callers; caller++) this.#callers.push(this.#callOn(client, version));
    return this;
  }

  /** Resolves when so many further requests have been answered. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ count: this.called.length + count, resolve }));
  }

  /** Resolves when the last request has been answered. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }

  /** Those sent after, and answered before. */
  between(from: number, to = Number.POSITIVE_INFINITY): readonly Called[] {
    return this.called.filter((called) => called.from > from && called.to < to);
  }

  /** Requests that were answered, or replied to, more than once. */
  get answeredTwice(): readonly string[] {
    return [...this.#answers].filter(([, count]) => count !== 1).map(([request]) => request);
  }

  /** Answers and replies that came. */
  get answers(): number {
    return this.#answers.size;
  }

  async #callOn(client: Client, version: string | null): Promise<void> {
    while (!this.#isOver) {
      const from = performance.now();
      const { response } = await client.request("node", {}, version === null ? {} : { version });
      const answer = response.success ? `${response.result}` : `${response.error_code}`;
      this.called.push({ from, to: performance.now(), answer });
      const reached = this.#waiting.filter(({ count }) => this.called.length >= count);
      this.#waiting = this.#waiting.filter((waiting) => !reached.includes(waiting));
      for (const { resolve } of reached) resolve();
    }
  }

  #count(what: string): void {
    this.#answers.set(what, (this.#answers.get(what) ?? 0) + 1);
  }
}

/** Who answered, each once. */
const answersOf = (called: readonly Called[]) => [...new Set(called.map(({ answer }) => answer))].sort();

/** What gateways and nodes are given to reach each other. */
interface Way {
  readonly gateway: GatewayOptions;
  readonly node: { readonly servers?: string };
}

const signingKey = "a key of the gateways alone, long enough";
const ways: [string, () => Promise<Way>][] = [
  ["over links", async () => ({ gateway: {}, node: {} })],
  [
    "over NATS",
    async () => {
      const servers = keep(await NatsServer.start()).url;
      return { gateway: { cluster: nats({ servers, signingKey }) }, node: { servers } };
    },
  ],
];

async function startGateways(options: GatewayOptions): Promise<readonly [Gateway, Gateway]> {
  return [await startGateway({ name: "gateway-1", ...options }), await startGateway({ name: "gateway-2", ...options })];
}

describe.each(ways)("%s", (_way, open) => {
  test("a rolling deployment, v2 beside v1 and then without it, loses no call of clients that call without pause", async () => {
    const nodeGraceMs = 500;
    const way = await open();
    const gateways = await startGateways({ ...way.gateway, nodeGraceMs });
    const clients = [await connect(urlOf(gateways[0])), await connect(urlOf(gateways[1]))] as const;
    const v1 = [
      await startNodeProcess(gateways, { ...way.node, name: "v1-a", version: "1.0.0" }),
      await startNodeProcess(gateways, { ...way.node, name: "v1-b", version: "1.0.0" }),
    ] as const;

    const latest = new Load().call(clients[0], null).call(clients[1], null);
    const first = new Load().call(clients[0], "1.0.0").call(clients[1], "1.0.0");
    await Promise.all([latest.more(200), first.more(200)]);
    const startedV2 = performance.now();
    expect(answersOf(latest.between(0))).toEqual(["v1-a", "v1-b"]);

    const v2 = [await startNodeProcess(gateways, { ...way.node, name: "v2-a", version: "2.0.0" })];
    const pushedV2 = performance.now();
    v2.push(await startNodeProcess(gateways, { ...way.node, name: "v2-b", version: "2.0.0" }));
    const hasV2 = performance.now();
    await Promise.all([latest.more(200), first.more(200)]);

    // A call that runs on one of v1 while the first of them goes.
    const running = clients[0].request("waits_for", { text: "last" }, { version: "1.0.0" });
    await Promise.race([v1[0].noted("last began"), v1[1].noted("last began")]);
    const stopsA = performance.now();
    const stopped = v1[0].stop({ drainMs: 20_000 });
    await Promise.all([latest.more(200), first.more(200)]);
    for (const node of v1) node.process.connected && node.tell("last");
    expect((await running).response).toMatchObject({ success: true, result: "went" });
    await stopped;
    const hasOnlyB = performance.now();
    await Promise.all([latest.more(200), first.more(200)]);
    await first.stop();
    const stopsB = performance.now();
    await v1[1].stop({ drainMs: 20_000 });
    await latest.more(200);

    // Known for a while yet, then gone: on each gateway.
    for (const client of clients) {
      let code: string | undefined = "unavailable";
      while (code === "unavailable")
        code = (await client.request("node", {}, { version: "1.0.0" })).response.error_code;
      // From the end of its session, which comes before that of its process.
      const ms = performance.now() - stopsB;
      expect(code).toBe("not_found");
      expect(ms).toBeGreaterThan(nodeGraceMs * 0.9);
      expect(ms).toBeLessThan(nodeGraceMs + 30_000);
    }
    await latest.more(200);
    await latest.stop();

    // From its push on v2 has every request that names no version; v1 those that name it, as long as it lives.
    expect(answersOf(latest.between(0, startedV2))).toEqual(["v1-a", "v1-b"]);
    expect(answersOf(latest.between(pushedV2, hasV2))).not.toContain("v1-a");
    expect(answersOf(latest.between(pushedV2, hasV2))).not.toContain("v1-b");
    expect(answersOf(latest.between(hasV2))).toEqual(["v2-a", "v2-b"]);
    expect(answersOf(first.between(0, stopsA))).toEqual(["v1-a", "v1-b"]);
    expect(answersOf(first.between(hasOnlyB, stopsB))).toEqual(["v1-b"]);
    // Nothing failed, ever; nothing was answered twice, nothing not at all.
    expect(answersOf(first.called)).toEqual(["v1-a", "v1-b"]);
    expect(answersOf(latest.called)).toEqual(["v1-a", "v1-b", "v2-a", "v2-b"]);
    for (const load of [latest, first]) {
      expect(load.answeredTwice).toEqual([]);
      expect(load.answers).toBeGreaterThanOrEqual(2 * load.called.length);
    }
    expect(v1.map(({ process }) => process.exitCode)).toEqual([0, 0]);
  });
});

// What differs over NATS is in the story above, and in the suite that all transports pass.
describe.each(ways.slice(0, 1))("%s", (_way, open) => {
  test("taking a deployment back, v2 stopped in good order while v1 still runs, loses no call", async () => {
    const way = await open();
    const gateways = await startGateways(way.gateway);
    const clients = [await connect(urlOf(gateways[0])), await connect(urlOf(gateways[1]))] as const;
    await startNodeProcess(gateways, { ...way.node, name: "v1", version: "1.0.0" });
    const latest = new Load().call(clients[0], null).call(clients[1], null);
    const first = new Load().call(clients[0], "1.0.0").call(clients[1], "1.0.0");
    await latest.more(100);
    const v2 = [
      await startNodeProcess(gateways, { ...way.node, name: "v2-a", version: "2.0.0" }),
      await startNodeProcess(gateways, { ...way.node, name: "v2-b", version: "2.0.0" }),
    ];
    const hasV2 = performance.now();
    await Promise.all([latest.more(200), first.more(200)]);
    const goesBack = performance.now();
    await Promise.all(v2.map((node) => node.stop({ drainMs: 20_000 })));
    const hasV1 = performance.now();
    await Promise.all([latest.more(200), first.more(200)]);
    await Promise.all([latest.stop(), first.stop()]);

    expect(answersOf(latest.between(hasV2, goesBack))).toEqual(["v2-a", "v2-b"]);
    expect(answersOf(latest.between(hasV1))).toEqual(["v1"]);
    // Nothing failed, and nothing was answered twice.
    expect(answersOf(latest.called)).toEqual(["v1", "v2-a", "v2-b"]);
    expect(answersOf(first.called)).toEqual(["v1"]);
    expect([...latest.answeredTwice, ...first.answeredTwice]).toEqual([]);
    // Who asks for what was taken back by its version may yet see it come again.
    const { response } = await clients[0].request("node", {}, { version: "2.0.0" });
    expect(response).toMatchObject({ error_code: "unavailable", can_retry: true });
  });

  test("nodes of one version that are restarted one by one under load, stopped in good order, fail no call", async () => {
    const way = await open();
    const gateways = await startGateways(way.gateway);
    const clients = [await connect(urlOf(gateways[0])), await connect(urlOf(gateways[1]))] as const;
    const names = ["a", "b", "c"];
    const nodes = new Map<string, NodeProcess>();
    for (const name of names) nodes.set(name, await startNodeProcess(gateways, { ...way.node, name }));
    const load = new Load().call(clients[0], null, 10).call(clients[1], null, 10);
    await load.more(100);
    for (const name of names) {
      const wasUp = performance.now();
      await nodes.get(name)?.stop({ drainMs: 60_000 });
      const isDown = performance.now();
      await load.more(100);
      const startsAgain = performance.now();
      nodes.set(name, await startNodeProcess(gateways, { ...way.node, name }));
      const isUp = performance.now();
      await load.more(200);
      // It was gone, so that this says something, and is back.
      expect(answersOf(load.between(isDown, startsAgain))).toEqual(names.filter((other) => other !== name));
      expect(answersOf(load.between(isUp))).toEqual(names);
      expect(isDown - wasUp).toBeLessThan(50_000);
    }
    await load.stop();
    expect(answersOf(load.called)).toEqual(names);
    expect(load.answeredTwice).toEqual([]);
  });
});
