import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { nextEvent } from "../../support/cluster.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { until } from "../../support/until.ts";
import { acknowledge, begin, Gateways, next, ok, refused, resume } from "./gateways.ts";

let server: NatsServer;
let gateways: Gateways;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  gateways = new Gateways(server);
});
afterEach(() => gateways[Symbol.asyncDispose]());

describe("a stream of another gateway", () => {
  test("goes on over this one, each chunk once, at the pace of its client, and is forgotten when its end is acknowledged", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const one = await gateways.connect(first);
    const { token } = await begin(one, 2);
    const detached = nextEvent("stream.detach");
    one.socket.terminate();
    await detached;
    const other = await gateways.connect(second);
    expect(await resume(other, token, 2)).toEqual(ok);
    for (const seq of [3, 4]) expect(await next(other)).toMatchObject({ request_id: "a", seq, result: seq });
    acknowledge(other, 4);
    expect(await next(other)).toMatchObject({ seq: 5, result: 5 });
    expect(await next(other)).toMatchObject({ seq: 6, result: null, has_more: false, success: true });
    acknowledge(other, 6);
    await until(() => first.diagnostics.statistics().streams.keptBytes === 0);
    expect(await resume(other, token, 6)).toEqual(refused("not_found"));
  });

  test("is not for another user, and nothing happens to it", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const one = await gateways.connect(first);
    const { token } = await begin(one, 4);
    for (const stranger of ["u2", null]) {
      const client = await gateways.connect(second, stranger);
      expect(await resume(client, token, 0)).toEqual(refused("not_found"));
    }
    const own = await gateways.connect(second);
    expect(await resume(own, token, 9)).toEqual(refused("gap"));
    expect(await resume(own, token, 0, "other")).toEqual(refused("not_found"));
    acknowledge(one, 4);
    expect(await next(one)).toMatchObject({ seq: 5 });
    // Whoever has the token of a client without a user may have its stream, as on one gateway.
    const anonymous = await begin(await gateways.connect(first, null), 1);
    expect(await resume(await gateways.connect(second, null), anonymous.token, 1)).toEqual(ok);
  });

  test("moves though its old socket seems alive, back and forth, and the old side gets nothing more", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const one = await gateways.connect(first);
    const { token } = await begin(one, 4, { to: 12 });
    const other = await gateways.connect(second);
    expect(await resume(other, token, 4)).toEqual(ok);
    acknowledge(other, 4);
    for (const seq of [5, 6, 7, 8]) expect(await next(other)).toMatchObject({ seq });
    expect(await resume(one, token, 8)).toEqual(ok);
    acknowledge(one, 8);
    for (const seq of [9, 10, 11, 12]) expect(await next(one)).toMatchObject({ seq });
    expect(await resume(other, token, 12)).toEqual(ok);
    acknowledge(other, 12);
    expect(await next(other)).toMatchObject({ seq: 13, has_more: false });
    acknowledge(other, 13);
    for (const client of [one, other]) {
      await client.settled();
      expect(client.frames.filter((frame) => frame[3] === "api")).toEqual([]);
    }
    await until(() => first.diagnostics.statistics().streams.open === 0);
  });

  test.each(["stop_stream", "cancel", "phx_leave"])("ends by %s of its client here", async (event) => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const { token } = await begin(await gateways.connect(first), 4, { to: 1_000_000 });
    const other = await gateways.connect(second);
    expect(await resume(other, token, 4)).toEqual(ok);
    other.send(["1", "8", "api:x", event, { request_id: "a" }]);
    if (event !== "phx_leave") {
      const code = event === "cancel" ? "cancelled" : undefined;
      const last = await next(other);
      expect(last).toMatchObject({ seq: 5, has_more: false, success: code === undefined });
      expect(last.error_code).toBe(code);
      acknowledge(other, 5);
    }
    await until(() => first.diagnostics.statistics().streams.open === 0);
    await until(() => first.diagnostics.statistics().streams.keptBytes === 0);
  });

  test("waits for its client again when that goes, and is `unavailable` when its gateway stops", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const { token } = await begin(await gateways.connect(first), 4);
    const other = await gateways.connect(second);
    expect(await resume(other, token, 4)).toEqual(ok);
    const detached = nextEvent("stream.detach");
    other.socket.terminate();
    await detached;
    const again = await gateways.connect(second);
    expect(await resume(again, token, 4)).toEqual(ok);
    await first.stop();
    expect(await next(again)).toMatchObject({ seq: 5, has_more: false, error_code: "unavailable", can_retry: true });
    acknowledge(again, 5);
    expect(await resume(again, token, 5)).toEqual(refused("not_found"));
  });

  test("with a key moves to the request that repeats it, under its id", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const more = { idempotency_key: "s1" };
    const one = await gateways.connect(first);
    const { token } = await begin(one, 4, { name: "keyed", more });
    acknowledge(one, 2);
    const other = await gateways.connect(second);
    const repeated = await begin(other, 0, { name: "keyed", more: { ...more, request_id: "b" } });
    expect(repeated.token).toBe(token);
    expect(await next(other)).toMatchObject({ request_id: "b", seq: 3, result: 3 });
    expect(await next(other)).toMatchObject({ request_id: "b", seq: 4 });
    acknowledge(other, 4, "b");
    expect(await next(other)).toMatchObject({ request_id: "b", seq: 5 });
    expect(await next(other)).toMatchObject({ request_id: "b", seq: 6, has_more: false });
    acknowledge(other, 6, "b");
    await until(() => first.diagnostics.statistics().streams.keptBytes === 0);
    // Its end was acknowledged.
    const late = { ...more, request_id: "c" };
    other.send([
      "1",
      "2",
      "api:x",
      "api",
      {
        service: "counted",
        request_type: "on_worker",
        args: { name: "keyed", to: 5 },
        window: 4,
        resume: true,
        ...late,
      },
    ]);
    expect(await next(other)).toMatchObject({ request_id: "c", error_code: "failed", reason: "replay_unavailable" });
  });

  test("a token of no gateway, or of one that is gone, is not found at once", async () => {
    const gateway = await gateways.start();
    const client = await gateways.connect(gateway);
    for (const part of ["x".repeat(22), "gone", "a.b", "*", ">".repeat(22)]) {
      expect(await resume(client, `${part}.${"y".repeat(22)}`, 0)).toEqual(refused("not_found"));
    }
  });
});
