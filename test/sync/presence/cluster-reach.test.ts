import { describe, expect, test } from "vitest";
import { ClusterReach } from "../../../src/sync/presence/cluster-reach.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock, settled } from "../../support/simulated-clock.ts";

function open(transport: string | null = "link") {
  const clock = new SimulatedClock();
  const changes: boolean[] = [];
  const reach = new ClusterReach({
    gateway: "g",
    clock,
    transport,
    changed: (isCutOff) => void changes.push(isCutOff),
  });
  return { clock, changes, reach };
}
const stateOf = (reach: ClusterReach) => [reach.isCutOff, reach.isPartial, reach.wasRead];

describe("a gateway's reach", () => {
  test("is whole where it has no service nodes", async () => {
    const { reach } = open(null);
    expect([...stateOf(reach), reach.cutOffBecause]).toEqual([false, false, true, null]);
    await reach.whenRead();
  });

  test("begins cut off, is partial until what is shared was read, then whole", async () => {
    const { reach, changes } = open();
    expect([...stateOf(reach), reach.cutOffBecause]).toEqual([true, true, false, "link: it has not been reached yet"]);
    let isRead = false;
    void reach.whenRead().then(() => {
      isRead = true;
    });
    // Of a place that it cannot reach nothing can have been read.
    reach.read();
    expect(stateOf(reach)).toEqual([true, true, false]);
    reach.reached(true);
    expect([...stateOf(reach), reach.cutOffBecause]).toEqual([false, true, false, null]);
    await settled();
    expect(isRead).toBe(false);
    reach.read();
    await settled();
    expect([...stateOf(reach), isRead, changes]).toEqual([false, false, true, true, [false]]);
    await reach.whenRead();
  });

  test("is partial, and says why, while what is shared cannot be read; what was read once stays read", () => {
    const { reach, changes } = open();
    expect(reach.unreadBecause).toBeNull();
    reach.reached(true);
    expect(reach.unreadBecause).toBe("they have not been read yet");
    reach.read();
    expect(reach.unreadBecause).toBeNull();
    reach.unread("the bucket is gone");
    expect([...stateOf(reach), reach.unreadBecause]).toEqual([false, true, true, "the bucket is gone"]);
    reach.lost("no answer");
    expect(reach.unreadBecause).toBeNull();
    reach.reached(true);
    expect(reach.unreadBecause).toBe("they have not been read yet");
    reach.read();
    expect([...stateOf(reach), reach.unreadBecause, changes]).toEqual([false, false, true, null, [false, true, false]]);
  });

  test("is whole at once where nothing is shared", () => {
    const { reach } = open();
    reach.reached(false);
    expect(stateOf(reach)).toEqual([false, false, true]);
  });

  test("is lost and comes back, told once each, with how long it took; what was read is read anew", () => {
    using lost = recordEvents("cluster.lost");
    using back = recordEvents("cluster.back");
    const { reach, clock, changes } = open();
    reach.reached(true);
    reach.read();
    reach.lost("no answer");
    reach.lost("no answer again");
    expect([...stateOf(reach), reach.cutOffBecause]).toEqual([true, true, true, "link: no answer"]);
    clock.advance(1_500);
    reach.reached(true);
    reach.reached(true);
    expect(stateOf(reach)).toEqual([false, true, true]);
    expect(changes).toEqual([false, true, false]);
    expect(lost.messages).toMatchObject([{ metadata: { gateway: "g", transport: "link", reason: "no answer" } }]);
    expect(back.messages).toMatchObject([{ measurements: { duration_us: 1_500_000 }, metadata: { gateway: "g" } }]);
  });

  test("is no news where its transport was closed to be opened anew", () => {
    using events = recordEvents("cluster.lost", "cluster.back");
    const { reach, changes } = open();
    reach.closed();
    expect(reach.cutOffBecause).toBe("link: it has not been reached yet");
    reach.reached(false);
    reach.closed();
    reach.closed();
    expect([...stateOf(reach), reach.cutOffBecause]).toEqual([
      true,
      true,
      true,
      "link: the transport is being restarted",
    ]);
    reach.reached(false);
    expect([events.messages, changes]).toEqual([[], [false, true, false]]);
  });

  test("fails whoever waits for it when the gateway stops", async () => {
    const { reach } = open();
    const waiting = reach.whenRead();
    reach.close(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
  });
});
