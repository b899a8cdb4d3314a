import fc from "fast-check";
import { expect, test } from "vitest";
import type { Caller, LaterResponses } from "../../../src/call/request/caller.ts";
import type { Response } from "../../../src/call/request/response.ts";
import { pipelineOf } from "../../support/pipeline.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** A socket: what was sent and did not arrive yet, until it is lost. */
class Wire implements LaterResponses {
  readonly caller: Caller;
  readonly underWay: Response[] = [];
  /** Half-open: nothing arrives any more, in neither direction, and the gateway does not know. */
  isDead = false;
  /** At most this many wait before the socket is full. */
  readonly #room: number;
  #waiting: (() => void)[] = [];

  constructor(caller: Caller, room: number) {
    this.caller = caller;
    this.#room = room;
  }

  push(response: string): void {
    this.underWay.push(JSON.parse(response));
  }

  get isReady(): boolean {
    return this.underWay.length < this.#room;
  }

  whenReady(run: () => void): void {
    this.#waiting.push(run);
    this.wake();
  }

  wake(): void {
    if (this.isReady) for (const run of this.#waiting.splice(0)) run();
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant("produce" as const) },
  { weight: 6, arbitrary: fc.record({ arrive: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.constant("acknowledge" as const) },
  { weight: 1, arbitrary: fc.constant("end" as const) },
  // The socket is cut: the gateway notices at once, or does not.
  { weight: 1, arbitrary: fc.record({ cut: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ reconnect: fc.integer({ min: 1, max: 6 }) }) },
);

test(`however its sockets are cut, a client gets each chunk exactly once, in order, and one end (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(step, { minLength: 20, maxLength: 120 }),
      async (window, steps) => {
        const parts = await pipelineOf({ requestType: "numbers", responseType: "stream", runOn: "worker" });
        let wire = new Wire(parts.caller(), 3);
        const { calls } = wire.caller;
        const answer = (init: string) => wire.push(init);
        const replyTo = { answer, push: (r: string) => first.push(r), reply: () => undefined };
        const first = wire;
        const channel = Object.defineProperties(replyTo, {
          isReady: { get: () => first.isReady },
          whenReady: { value: (run: () => void) => first.whenReady(run) },
        }) as never;
        const request = { service: "s", request_type: "numbers", request_id: "r1", window, resume: true };
        parts.pipeline.handle(request, 100, wire.caller, channel, 100);
        const { resume_token } = wire.underWay.shift() as Response;
        const produced = parts.streams[0];
        if (produced === undefined) throw new Error("There is no stream");
        expect(calls.size).toBe(1);

        let [made, acknowledged, isEnded] = [0, 0, false];
        const received: Response[] = [];
        const lastSeq = () => received.at(-1)?.seq ?? 0;
        const produce = () => {
          if (isEnded || made - acknowledged >= window) return;
          produced.stream.chunk(String(++made));
        };
        const arrive = (count: number) => {
          if (wire.isDead) return;
          received.push(...wire.underWay.splice(0, count));
          wire.wake();
        };
        const acknowledge = () => {
          if (wire.isDead) return;
          wire.caller.calls.acknowledge("r1", lastSeq());
          acknowledged = Math.max(acknowledged, Math.min(lastSeq(), made));
        };
        const reconnect = (room: number) => {
          wire.isDead = true;
          const next = new Wire(parts.caller(), room);
          const found = parts.pipeline.resume({ request_id: "r1", resume_token, seq: lastSeq() }, next.caller, next);
          // Only a client that has everything may be told that there is nothing.
          if (typeof found === "string") expect([found, isEnded, lastSeq()]).toEqual(["not_found", true, made + 1]);
          else (found as () => void)();
          wire = next;
        };
        for (const each of steps) {
          if (each === "produce") produce();
          else if (each === "acknowledge") acknowledge();
          else if (each === "end") {
            if (!isEnded) produced.stream.ended(null);
            isEnded = true;
          } else if ("arrive" in each) arrive(each.arrive);
          else if ("reconnect" in each) reconnect(each.reconnect);
          else {
            if (each.cut) wire.caller.calls.detachAll();
            wire.isDead = true;
          }
          expect(made - acknowledged).toBeLessThanOrEqual(window);
        }
        if (!isEnded) produced.stream.ended(null);
        isEnded = true;
        if (wire.isDead) reconnect(2);
        while (wire.underWay.length > 0) arrive(1);
        expect(received.map(({ seq }) => seq)).toEqual(Array.from({ length: made + 1 }, (_, at) => at + 1));
        expect(received.map(({ result }) => result)).toEqual([
          ...Array.from({ length: made }, (_, at) => at + 1),
          null,
        ]);
        expect(received.filter(({ has_more }) => !has_more)).toHaveLength(1);
        acknowledge();
        expect([parts.resumable.keptBytes, parts.resumable.detached, parts.running.size]).toEqual([0, 0, 0]);
        parts.clock.advance(30_000);
      },
    ),
    { seed, numRuns: 300 },
  );
});
