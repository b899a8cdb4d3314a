import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { GenApiError } from "../../src/core/errors.ts";
import type { RequestInfo } from "../../src/core/request-info.ts";
import type { ServiceFunction } from "../../src/execution/load-function.ts";
import { streamWindow } from "../../src/execution/stream-credit.ts";
import { StreamProducer } from "../../src/execution/stream-producer.ts";
import { streamSource } from "../../src/execution/stream-source.ts";
import { identity } from "../support/identity.ts";
import { settled } from "../support/simulated-clock.ts";
import { until } from "../support/until.ts";

/** A stream of what `run` answers with, and all that is heard of it. */
function open(run: (info: Required<RequestInfo>) => unknown, { maxBytes = 1_000 } = {}) {
  const log: string[] = [];
  const producer = new StreamProducer(
    {
      chunk: (json) => log.push(json),
      ended: (json) => log.push(`ended ${json}`),
      failed: (data) =>
        log.push(data.kind === "internal" ? `internal ${data.cause.message}` : `failed ${Object(data).reason}`),
      stray: (thrown) => log.push(`stray ${(thrown as Error).message}`),
    },
    maxBytes,
  );
  producer.start(run as ServiceFunction, [], identity, {});
  return { producer, log };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);

describe("a generator", () => {
  test("is run as far as there is credit, and on when some was granted", async () => {
    function* endless() {
      for (let chunk = 0; ; chunk++) yield chunk;
    }
    const { producer, log } = open(endless);
    // It yields to others now and then.
    const came = (count: number) => until(() => log.length === count);
    await came(streamWindow);
    expect(log).toEqual(numbers(streamWindow));
    producer.grant(2);
    await came(streamWindow + 2);
    producer.stop("cancelled");
    producer.grant(5);
    await settled();
    expect(log).toEqual([...numbers(streamWindow + 2), "ended null"]);
  });

  test("is ended once, with what it has in finally, and says nothing of that", async () => {
    const ends: string[] = [];
    async function* waits() {
      try {
        yield 1;
        await new Promise(() => undefined);
      } finally {
        ends.push("finally");
      }
    }
    const { producer, log } = open(waits);
    await settled();
    producer.stop("cancelled");
    producer.stop("cancelled");
    await settled();
    // It waits for something that never comes, so that its end never comes either.
    expect([log, ends]).toEqual([["1"], []]);
  });

  test("that is stopped while it waits is not asked for another chunk when it goes on", async () => {
    let goOn: () => void = () => undefined;
    let asked = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          asked++;
          return new Promise((resolve) => (goOn = () => resolve({ done: false, value: asked })));
        },
      }),
    };
    const { producer, log } = open(() => source);
    expect(asked).toBe(1);
    // One that is waited for is not asked again.
    producer.grant(1);
    expect(asked).toBe(1);
    producer.stop("cancelled");
    await settled();
    expect(log).toEqual(["ended null"]);
    goOn();
    await settled();
    expect([asked, log]).toEqual([1, ["ended null"]]);
  });

  test("that throws fails its stream, once, after the chunks before", async () => {
    function* fails() {
      yield 1;
      throw new GenApiError("broken", "no more");
    }
    expect(open(fails).log).toEqual(["1", "failed broken"]);
    async function* failsLater() {
      yield 1;
      throw new Error("no more");
    }
    const later = open(failsLater);
    await settled();
    expect(later.log).toEqual(["1", "internal no more"]);
  });

  test("ends its stream with its last chunk; what it returns is none", () => {
    function* returns() {
      yield 1;
      return 2;
    }
    expect(open(returns).log).toEqual(["1", "ended null"]);
  });

  test("fails where a chunk is longer than may be, and is ended", () => {
    let isEnded = false;
    function* long() {
      try {
        yield "x".repeat(8);
        yield "x".repeat(9);
      } finally {
        isEnded = true;
      }
    }
    const { log } = open(long, { maxBytes: 10 });
    expect(log[0]).toBe('"xxxxxxxx"');
    expect(log[1]).toMatch(/^internal /);
    expect([log.length, isEnded]).toEqual([2, true]);
  });

  test("that never waits lets others run after a while", async () => {
    let isOver = false;
    function* slow() {
      for (let chunk = 0; chunk < 20; chunk++) {
        const until = performance.now() + 1;
        while (performance.now() < until);
        yield chunk;
      }
      isOver = true;
    }
    const { log } = open(slow);
    expect(log.length).toBeLessThan(20);
    await until(() => isOver);
    expect(log).toEqual([...numbers(20), "ended null"]);
  });

  test("that fails at its end, when it is stopped, is told of as nobody's", async () => {
    const iterator = {
      count: 0,
      next: () => (iterator.count++ === 0 ? { done: false, value: 1 } : new Promise(() => undefined)),
      return: () => Promise.reject(new Error("at its end")),
    };
    const { producer, log } = open(() => ({ [Symbol.asyncIterator]: () => iterator }));
    producer.stop("cancelled");
    await settled();
    expect(log).toEqual(["1", "stray at its end", "ended null"]);
  });
});

describe("a function that writes its stream", () => {
  test("may write as long as it has not ended it", async () => {
    const { producer, log } = open(async ({ stream }) => {
      await stream.sendResult(1);
      stream.sendLastResult(2);
    });
    await settled();
    expect([log, producer.isOver]).toEqual([["1", "ended 2"], true]);
  });

  test("fails where it returns a value that is none, and has written nothing; returning nothing it may write later", () => {
    expect(open(() => 5).log[0]).toMatch(/^internal A stream's function must/);
    expect(open(({ stream }) => void stream).log).toEqual([]);
    expect(open(() => undefined).log).toEqual([]);
    expect(open(() => [1, 2]).log[0]).toMatch(/^internal A stream's function must/);
  });

  test("hears that its stream was stopped by its signal, with the reason", async () => {
    const reasons: string[] = [];
    const { producer, log } = open(async ({ signal, stream }) => {
      void stream;
      signal.addEventListener("abort", () => reasons.push((signal.reason as Error).message));
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    producer.stop("disconnected");
    expect(reasons).toHaveLength(1);
    expect(log).toEqual([]);
    await settled();
    expect(log).toEqual(["ended null"]);
  });

  test("that throws after its stream was over is told of as nobody's", async () => {
    const { log } = open(async ({ stream }) => {
      stream.sendComplete();
      await settled();
      throw new Error("late");
    });
    await settled();
    await settled();
    expect(log).toEqual(["ended null", "stray late"]);
  });

  test("that throws what it was stopped with is no news", async () => {
    const { producer, log } = open(({ signal, stream }) => {
      void stream;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    producer.stop("cancelled");
    await settled();
    expect(log).toEqual(["ended null"]);
  });

  test("goes on writing with the credit that comes, and ends behind that", async () => {
    const { producer, log } = open(({ stream }) => {
      for (let chunk = 0; chunk < streamWindow + 2; chunk++) void stream.sendResult(chunk);
      stream.sendComplete();
    });
    expect(log).toHaveLength(streamWindow);
    producer.grant(1);
    expect(log).toHaveLength(streamWindow + 1);
    producer.grant(1);
    expect(log.slice(-2)).toEqual([`${streamWindow + 1}`, "ended null"]);
  });

  test("and returns a generator besides ends with that, behind what it has written", async () => {
    const { log } = open(async function* ({ stream }) {
      void stream.sendResult("written");
      yield "yielded";
    });
    await settled();
    expect(log).toEqual(['"written"', '"yielded"', "ended null"]);
  });
});

describe("what a function returns is a source", () => {
  const none = () => undefined;

  test("where it is an AsyncIterable, a generator, a Readable or a web stream, and nothing else", () => {
    function* generator() {
      yield 1;
    }
    const sources = [generator(), Readable.from([1]), new ReadableStream(), { [Symbol.asyncIterator]: generator }];
    for (const source of sources) expect(streamSource(source, none)).not.toBeNull();
    for (const other of [null, undefined, 1, "text", [1], new Set([1]), {}, generator, { next: none }]) {
      expect(streamSource(other, none)).toBeNull();
    }
  });

  test("that a Readable's error after its stop is told, and one before it is the reader's to hear", async () => {
    const heard: string[] = [];
    const hear = (thrown: unknown) => heard.push((thrown as Error).message);
    const failing = () => new Readable({ read: none, destroy: (_error, done) => done(new Error("at its end")) });
    streamSource(failing(), hear)?.stop();
    await settled();
    expect(heard).toEqual(["at its end"]);
    const read = new Readable({
      read() {
        this.destroy(new Error("while it is read"));
      },
    });
    await expect(streamSource(read, hear)?.next()).rejects.toThrow("while it is read");
    expect(heard).toEqual(["at its end"]);
  });

  test("whose generator yields a promise is waited for", async () => {
    function* promises() {
      yield Promise.resolve(1);
      yield Promise.reject(new Error("no"));
    }
    const source = streamSource(promises(), none);
    expect(await source?.next()).toEqual({ done: false, value: 1 });
    await expect(source?.next()).rejects.toThrow("no");
  });
});
