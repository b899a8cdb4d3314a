import { describe, expect, test } from "vitest";
import { HostStream } from "../../../src/call/host/host-stream.ts";
import type { ReplyTo } from "../../../src/call/request/caller.ts";
import { refusal } from "../../../src/call/request/failure.ts";
import {
  encodeAccepted,
  encodeChunk,
  encodeFailure,
  encodeStreamEnd,
  encodeSuccess,
} from "../../../src/call/request/response.ts";

/** A stream that the host takes, and the call that it is of. */
function open(start: (replyTo: ReplyTo) => void = () => undefined) {
  const log: string[] = [];
  const stream = new HostStream<unknown>({
    start: (replyTo) => {
      log.push("start");
      start(replyTo);
    },
    taken: () => undefined,
    end: () => void log.push("end"),
  });
  return { stream, log };
}

const chunk = (value: unknown) => encodeChunk("r1", JSON.stringify(value));
const end = (value: unknown = null) => encodeStreamEnd("r1", JSON.stringify(value));
const fault = refusal("failed", "no more");
const failed = encodeFailure("r1", fault, false);
const done = { done: true, value: undefined };

/** What is taken until it is over. */
async function all(stream: HostStream<unknown>) {
  const taken: unknown[] = [];
  for await (const value of stream) taken.push(value);
  return taken;
}

describe("a stream that the host takes", () => {
  test("is asked for with its first chunk, and not before", async () => {
    const { stream, log } = open();
    expect(log).toEqual([]);
    const first = stream.next();
    const second = stream.next();
    expect(log).toEqual(["start"]);
    stream.push(chunk("init"));
    stream.push(chunk(1));
    stream.push(end());
    expect([await first, await second, log]).toEqual([{ done: false, value: 1 }, done, ["start", "end"]]);
  });

  test("has its chunks without the first, which only says that it begins, and its last where that has one", async () => {
    for (const [last, expected] of [
      [end(), [1, 2]],
      [end(3), [1, 2, 3]],
    ] as const) {
      const { stream } = open((replyTo) => {
        for (const response of [chunk("init"), chunk(1), chunk(2), last]) replyTo.push(response);
      });
      expect(await all(stream)).toEqual(expected);
    }
  });

  test("is the one result of a function that is no stream, null as well; of an async one what follows", async () => {
    const of = (...responses: string[]) => {
      return all(open((replyTo) => responses.forEach((each) => void replyTo.push(each))).stream);
    };
    expect(await of(encodeSuccess("r1", "null"))).toEqual([null]);
    expect(await of(encodeAccepted("r1"), encodeSuccess("r1", "5"))).toEqual([5]);
    expect(await all(open((replyTo) => replyTo.reply("ok", '"f"')).stream)).toEqual([]);
  });

  test("tells its failure once, behind the chunks that had come", async () => {
    const { stream, log } = open((replyTo) => {
      for (const response of [chunk("init"), chunk(1), failed]) replyTo.push(response);
    });
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    await expect(stream.next()).rejects.toMatchObject({ code: "failed", message: "no more" });
    expect([await stream.next(), log]).toEqual([done, ["start", "end"]]);
  });

  test("tells its failure the first of those who wait, the others that it is over", async () => {
    const { stream } = open();
    const waiting = [stream.next(), stream.next()] as const;
    stream.push(failed);
    await expect(waiting[0]).rejects.toMatchObject({ code: "failed" });
    expect([await waiting[1], await stream.next()]).toEqual([done, done]);
  });

  test("ends where it cannot be asked for", async () => {
    const { stream, log } = open(() => {
      throw new Error("broken");
    });
    await expect(stream.next()).rejects.toThrow("broken");
    expect([await stream.next(), log]).toEqual([done, ["start", "end"]]);
  });

  test("that is left is over at once, drops what came, and ends its call once", async () => {
    const { stream, log } = open((replyTo) => {
      for (const response of [chunk("init"), chunk(1), chunk(2)]) replyTo.push(response);
    });
    await stream.next();
    expect([await stream.return(), await stream.return(), await stream.next()]).toEqual([done, done, done]);
    stream.push(chunk(3));
    stream.push(failed);
    expect([await stream.next(), log]).toEqual([done, ["start", "end"]]);
  });

  test("whose failure nobody took is left without it", async () => {
    const { stream } = open((replyTo) => {
      for (const response of [chunk("init"), chunk(1), failed]) replyTo.push(response);
    });
    await stream.next();
    await stream.return();
    expect(await stream.next()).toEqual(done);
  });

  test("rejects with what it is told to throw, and ends its call", async () => {
    const { stream, log } = open();
    await expect(stream.throw(new Error("enough"))).rejects.toThrow("enough");
    expect(log).toEqual(["end"]);
    const disposed = open();
    await disposed.stream[Symbol.asyncDispose]();
    expect(disposed.log).toEqual(["end"]);
  });

  test("is ready for more when its last chunk was taken; whoever waits for that is told once", async () => {
    const { stream } = open();
    const first = stream.next();
    let calls = 0;
    for (const response of [chunk("init"), chunk(1), chunk(2), chunk(3)]) stream.push(response);
    await first;
    expect(stream.isReady).toBe(false);
    stream.whenReady(() => calls++);
    await stream.next();
    expect([stream.isReady, calls]).toEqual([false, 0]);
    await stream.next();
    expect([stream.isReady, calls]).toEqual([true, 1]);
    stream.push(chunk(4));
    await stream.next();
    expect(calls).toBe(1);
  });
});
