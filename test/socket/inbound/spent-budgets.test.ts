import { describe, expect, test } from "vitest";
import { SpentBudgets } from "../../../src/socket/inbound/spent-budgets.ts";
import { until } from "../../support/until.ts";
import { listenTo, openGateway } from "../open-gateway.ts";

const limit = { perSecond: 1_000, burst: 2_000, closeAfterMs: 10_000 };

/** Opens and closes a socket that uses so many points. */
function visit(budgets: SpentBudgets, identity: string, points: number, now: number): void {
  const budget = budgets.open(identity, now);
  budget.use(points);
  budgets.keep(identity, budget, now);
}

describe("who connects anew", () => {
  test("goes on with what the last socket left, and with what time has brought since", () => {
    const budgets = new SpentBudgets(limit);
    visit(budgets, "network a", 1_800, 0);
    visit(budgets, "network a", 1_800, 0);
    expect(budgets.open("network a", 0).leftAt(0)).toBe(-1_600);
    expect(budgets.open("network a", 1_000).leftAt(1_000)).toBe(-600);
    expect(budgets.open("network b", 0).leftAt(0)).toBe(2_000);
  });

  test("does not get it all back by a calm socket beside", () => {
    const budgets = new SpentBudgets(limit);
    const calm = budgets.open("network a", 0);
    visit(budgets, "network a", 3_000, 0);
    calm.use(1_500);
    budgets.keep("network a", calm, 0);
    expect(budgets.open("network a", 0).leftAt(0)).toBe(-1_000);
  });

  test("is remembered no longer than until half of it is back", () => {
    const budgets = new SpentBudgets(limit);
    visit(budgets, "network a", 500, 0);
    expect(budgets.size).toBe(0);
    visit(budgets, "network a", 2_000, 0);
    expect(budgets.open("network a", 1_000).leftAt(1_000)).toBe(2_000);
    expect(budgets.size).toBe(0);
  });

  test("is one of 10 000 at most", () => {
    const budgets = new SpentBudgets(limit);
    for (let network = 0; network < 12_000; network++) visit(budgets, `network ${network}`, 5_000, 0);
    expect(budgets.size).toBe(10_000);
    visit(budgets, "network last", 5_000, 10_000);
    expect(budgets.size).toBe(1);
  });
});

test("a client that is nobody is slowed down over all its sockets, however often it connects anew", async () => {
  await using gateway = await openGateway({ frameLimit: { perSecond: 1, burst: 100, closeAfterMs: 60_000 } });
  using closed = listenTo("connection.close");
  using throttled = listenTo("connection.throttle");
  for (let socket = 0; socket < 4; socket++) {
    const client = await gateway.connect();
    for (let sent = 0; sent < 60; sent++) client.send([null, `${sent}`, "phoenix", "heartbeat", {}]);
    // Sixty fit into a whole budget, and no second sixty.
    if (socket === 0) await client.reply("59");
    else await until(() => throttled.messages.length === socket);
    client.socket.terminate();
    if (socket === 0) await until(() => closed.messages.length === 1);
  }
});
