import { type Gateway, type GatewayOptions, startGenApi } from "gen-api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import service from "../fixtures/admission.js";
import { urlOf } from "../support/gateway.ts";
import { connectRaw, type Frame } from "../support/network/raw-client.ts";
import { Notes } from "../support/notes.ts";
import { type Client, connectClient } from "../support/phoenix-client.ts";
import { recordEvents } from "../support/record-events.ts";

let notes: Notes;
let gateway: Gateway | undefined;
let client: Client;
beforeEach(() => {
  notes = new Notes();
});
afterEach(async () => {
  await client.close();
  await gateway?.stop();
  notes[Symbol.dispose]();
});

async function start(workerPool: GatewayOptions["workerPool"] = {}) {
  gateway = await startGenApi({
    logger: false,
    listen: { port: 0 },
    channels: [{ topic: "api:*", event: "api" }],
    functions: [service],
    workerPool: { threads: 1, ...workerPool },
  });
  client = await connect();
}

const connect = () => connectClient(urlOf(gateway as Gateway), { service: "admission" });

/** Starts a function that waits, and resolves when it runs. */
async function waiting(requestType: string, name: string, by = client) {
  const answer = by.request(requestType, { name });
  await notes.next(`${name} began`);
  return { answer };
}

const unavailable = {
  success: false,
  error: "Service temporarily unavailable",
  error_code: "unavailable",
  can_retry: true,
  async: false,
};
const identity = { program: "gen_api@127.0.0.1", pool: "async_pool", service: "admission" };

describe("a client with two places of a pool of four, and a queue of one", () => {
  test.each(["sync", "async"])("refuses the next %s call at once, and answers all others", async (responseType) => {
    await start({ asyncPoolSize: 4, maxQueueSize: 1 });
    using events = recordEvents("worker_pool.task.rejected");
    const requestType = `worker_${responseType}`;
    const first = await waiting(requestType, "first");
    const second = await waiting(requestType, "second");
    const queued = client.request(requestType, { name: "queued" });
    expect(await client.request(requestType, { name: "refused" })).toMatchObject({
      response: unavailable,
      reply: { status: "ok", response: requestType },
      order: ["response", "reply"],
    });
    expect(events.messages).toEqual([
      {
        event: "worker_pool.task.rejected",
        measurements: { queue_size: 1 },
        metadata: { ...identity, request_type: requestType, reason: "queue_full" },
      },
    ]);
    notes.tell("release first");
    expect((await first.answer).response.result).toBe("first");
    await notes.next("queued began");
    notes.tell("release second");
    notes.tell("release queued");
    expect((await second.answer).response.result).toBe("second");
    expect((await queued).response.result).toBe("queued");
    expect((await client.request("echo", { msg: "room again" })).response.result).toBe("room again");
    expect(notes.heard).not.toContain("refused began");
    expect(events.messages).toHaveLength(1);
  });

  test("refuses a call of type none with a Response: it was not accepted", async () => {
    await start({ asyncPoolSize: 1, maxQueueSize: 0 });
    const { answer } = await waiting("worker_sync", "first");
    expect(await client.request("worker_none", { name: "refused" })).toMatchObject({
      response: unavailable,
      reply: { status: "ok", response: "worker_none" },
    });
    notes.tell("release first");
    await answer;
    // The place is free: accepted, the reply alone.
    const answered: unknown[] = [];
    client.channel.on("api", (response: { request_id: string }) => void answered.push(response.request_id));
    const request = { service: "admission", request_type: "worker_none", request_id: "n", args: { name: "accepted" } };
    const reply = await new Promise((resolve) => client.channel.push("api", request).receive("ok", resolve));
    expect(reply).toBe("worker_none");
    await notes.next("accepted began");
    notes.tell("release accepted");
    await notes.next("accepted finished");
    await client.request("echo", { msg: 1 });
    expect(answered).not.toContain("n");
  });

  test("does not bound the main thread", async () => {
    await start({ asyncPoolSize: 1, maxQueueSize: 0 });
    const full = await waiting("worker_sync", "full");
    const onMain = await waiting("main_sync", "onMain");
    notes.tell("release onMain");
    expect((await onMain.answer).response.result).toBe("onMain");
    notes.tell("release full");
    await full.answer;
  });
});

describe("a function's circuit", () => {
  const moody = (mood: string, name = mood) => client.request("moody", { mood, name });
  const codeOf = async (answer: ReturnType<typeof moody>) => (await answer).response.error_code ?? "ok";
  const circuit = ["worker_pool.circuit_breaker.open", "worker_pool.circuit_breaker.close"] as const;
  const runs = (mood: string) => notes.heard.filter((note) => note === `ran ${mood}`).length;

  /** Asks until the function runs: the half-open circuit lets one call through, and refuses those before it. */
  async function trial(mood: string, name: string) {
    const ran = notes.next(`ran ${mood}`).then(() => "ran");
    for (;;) {
      const answer = moody(mood, name);
      const outcome = await Promise.race([ran, codeOf(answer)]);
      if (outcome !== "unavailable") return answer;
    }
  }

  test("opens after 3 failures in a row; its calls are refused without running; a trial closes it", async () => {
    await start({ circuitBreakerThreshold: 3, circuitBreakerCooldownMs: 400 });
    using events = recordEvents(...circuit);
    using rejected = recordEvents("worker_pool.task.rejected");
    const target = { ...identity, request_type: "moody" };
    // A success between them: not in a row.
    for (const mood of ["bad", "bad", "good", "bad", "bad"]) await moody(mood);
    expect(events.messages).toEqual([]);
    expect(await codeOf(moody("bad"))).toBe("internal");
    const opened = {
      event: "worker_pool.circuit_breaker.open",
      measurements: { consecutive_failures: 3 },
      metadata: target,
    };
    expect(events.messages).toEqual([opened]);
    expect((await moody("refused")).response).toMatchObject(unavailable);
    expect(rejected.messages).toEqual([
      {
        event: "worker_pool.task.rejected",
        measurements: { queue_size: 0 },
        metadata: { ...target, reason: "circuit_open" },
      },
    ]);
    // Other functions have circuits of their own.
    expect((await client.request("echo", { msg: 1 })).response.result).toBe(1);

    const slow = trial("slow", "trial");
    await notes.next("trial began");
    expect(await codeOf(moody("refused"))).toBe("unavailable");
    notes.tell("release trial");
    expect((await slow).response.result).toBe("trial");
    expect((await moody("good")).response.result).toBe("good");
    expect(events.messages.at(-1)).toEqual({
      event: "worker_pool.circuit_breaker.close",
      measurements: { system_time: expect.any(Number) },
      metadata: target,
    });
    // It counts from the start again.
    for (const mood of ["bad", "bad"]) expect(await codeOf(moody(mood))).toBe("internal");
    expect(await codeOf(moody("good"))).toBe("ok");
    expect(runs("refused")).toBe(0);
  });

  test("stays open when its trial fails", async () => {
    await start({ circuitBreakerThreshold: 2, circuitBreakerCooldownMs: 200 });
    using events = recordEvents(...circuit);
    for (let failure = 0; failure < 2; failure++) expect(await codeOf(moody("bad"))).toBe("internal");
    notes.heard.length = 0;
    expect((await trial("bad", "bad")).response.error_code).toBe("internal");
    expect((await moody("good")).response).toMatchObject(unavailable);
    expect(runs("good")).toBe(0);
    expect((await trial("good", "good")).response.result).toBe("good");
    expect(events.messages.map(({ event }) => event.replace("worker_pool.circuit_breaker.", ""))).toEqual([
      "open",
      "open",
      "close",
    ]);
  });

  test("is not opened by a GenApiError: the function works, it said no", async () => {
    await start({ circuitBreakerThreshold: 2 });
    for (let time = 0; time < 6; time++) expect(await codeOf(moody("picky"))).toBe("failed");
  });
});

describe.each(["worker", "main"])("on the %s thread, a client", (runOn) => {
  const goes = {
    "whose socket goes": (gone: Client) => (gone.socket as unknown as { conn: { terminate(): void } }).conn.terminate(),
    "that leaves": (gone: Client) => void gone.channel.leave(),
    "that disconnects": (gone: Client) => gone.socket.disconnect(),
  };

  test.each(Object.entries(goes))(
    "%s aborts its sync and async calls, not those of type none, nor another's",
    async (_how, go) => {
      await start();
      const gone = await connect();
      const types = ["sync", "async", "none"];
      const names = types.map((type) => `gone_${type}`);
      for (const [at, type] of types.entries()) {
        void gone.request(`${runOn}_${type}`, { name: names[at] }).catch(() => undefined);
        await notes.next(`${names[at]} began`);
      }
      const kept = await waiting(`${runOn}_sync`, "kept");
      go(gone);
      await notes.next("gone_sync aborted: cancelled");
      await notes.next("gone_async aborted: cancelled");
      notes.tell("release gone_none");
      await notes.next("gone_none finished");
      notes.tell("release kept");
      expect((await kept.answer).response.result).toBe("kept");
      expect(notes.heard).toEqual(["kept finished"]);
      gone.socket.disconnect();
    },
  );

  test.each(["sync", "async"])(
    "cancels a %s call: the reply, then `cancelled`, and its signal aborts",
    async (type) => {
      await start();
      const raw = await connectRaw(`${urlOf(gateway as Gateway)}/websocket?vsn=2.0.0`);
      await raw.join("api:x", "1");
      const requestType = `${runOn}_${type}`;
      const request = { service: "admission", request_type: requestType, request_id: "a", args: { name: "it" } };
      raw.send(["1", "2", "api:x", "api", request]);
      await notes.next("it began");
      raw.send(["1", "3", "api:x", "cancel", { request_id: "a" }]);
      raw.send(["1", "4", "api:x", "cancel", { request_id: "a" }]);
      await notes.next("it aborted: cancelled");
      await raw.settled();
      const reply = (ref: string, status: string, response: unknown): Frame => [
        "1",
        ref,
        "api:x",
        "phx_reply",
        { status, response },
      ];
      const accepted = {
        request_id: "a",
        result: null,
        success: true,
        error: null,
        async: true,
        has_more: false,
        can_retry: false,
      };
      const cancelled = {
        ...accepted,
        success: false,
        error: "Request cancelled",
        async: false,
        can_retry: true,
        error_code: "cancelled",
      };
      const push = (response: object): Frame => ["1", null, "api:x", "api", response];
      const expected = {
        sync: [reply("3", "ok", {}), push(cancelled), reply("2", "ok", requestType)],
        async: [push(accepted), reply("2", "ok", requestType), reply("3", "ok", {}), push(cancelled)],
      }[type];
      expect(raw.frames).toEqual([...(expected ?? []), reply("4", "error", { reason: "not_found" })]);
      await raw.close();
    },
  );

  test("cannot cancel a call of type none, which was answered when it was accepted", async () => {
    await start();
    const request = { service: "admission", request_type: `${runOn}_none`, request_id: "a", args: { name: "it" } };
    await new Promise((resolve) => client.channel.push("api", request).receive("ok", resolve));
    await notes.next("it began");
    const refused = new Promise((resolve) =>
      client.channel.push("cancel", { request_id: "a" }).receive("error", resolve),
    );
    expect(await refused).toEqual({ reason: "not_found" });
    notes.tell("release it");
    await notes.next("it finished");
  });
});
