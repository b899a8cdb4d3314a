import { describe, expect, test } from "vitest";
import { type StreamOutput, StreamWriter } from "../../src/execution/stream-writer.ts";
import { settled } from "../support/simulated-clock.ts";

/** Where a writer writes to: a client that gives `credit` for so many chunks. */
function open(credit = 0) {
  const log: string[] = [];
  const client = { credit, isOver: false };
  const end = (what: string) => {
    client.isOver = true;
    log.push(what);
  };
  const output: StreamOutput = {
    get hasCredit() {
      return client.credit > 0;
    },
    get isOver() {
      return client.isOver;
    },
    encode: (value) => {
      if (typeof value === "bigint") throw new TypeError("no JSON");
      return JSON.stringify(value);
    },
    send: (json) => {
      client.credit--;
      log.push(json);
    },
    end: (json) => end(`end ${json}`),
    fail: (thrown) => end(`failed ${thrown}`),
    failInternally: (thrown) => end(`internal ${(thrown as Error).message}`),
  };
  const writer = new StreamWriter(output);
  /** The client takes so many more. */
  const grant = (chunks: number) => {
    client.credit += chunks;
    StreamWriter.resume(writer);
  };
  return { writer, log, client, grant };
}

const stateOf = (promise: Promise<void>) => {
  const said = promise.then(
    () => "resolved",
    ({ code }) => code as string,
  );
  return Promise.race([said, settled().then(() => "pending")]);
};
const tooMuch = "internal The function sends chunks without waiting for its client to take them";

describe("a function that writes its stream", () => {
  test("may be 1 000 chunks ahead of its client, and not one more", () => {
    const { writer, log } = open();
    for (let chunk = 0; chunk < 1_000; chunk++) void writer.sendResult(chunk);
    expect(log).toEqual([]);
    void writer.sendResult(1_000);
    expect(log).toEqual([tooMuch]);
  });

  test("may be 16 MiB ahead of its client, and no more, however few chunks they are", () => {
    const { writer, log, grant } = open();
    // With its quotation marks each has 1 MiB.
    const chunk = "x".repeat(1024 * 1024 - 2);
    for (let sent = 0; sent < 16; sent++) void writer.sendResult(chunk);
    expect(log).toEqual([]);
    // What its client has taken does not count any more.
    grant(2);
    for (let sent = 0; sent < 2; sent++) void writer.sendResult(chunk);
    expect(log).toHaveLength(2);
    void writer.sendResult("");
    expect(log.at(-1)).toBe(tooMuch);
  });

  test("waits as long as its client has not taken what it sent, in its order", async () => {
    const { writer, log, grant } = open(1);
    expect(await stateOf(writer.sendResult(1))).toBe("pending");
    const second = writer.sendResult(2);
    const third = writer.sendResult(3);
    grant(1);
    expect([log, await stateOf(second)]).toEqual([["1", "2"], "pending"]);
    grant(2);
    expect(log).toEqual(["1", "2", "3"]);
    await Promise.all([second, third, writer.ready]);
  });

  test("ends after what its client still has to take, and once", () => {
    for (const finish of ["sendComplete", "sendLastResult", "sendError"] as const) {
      const { writer, log, grant } = open(1);
      void writer.sendResult(1);
      void writer.sendResult(2);
      writer[finish]("last");
      writer.sendComplete();
      writer.sendError("another");
      writer.sendLastResult("another");
      expect(log).toEqual(["1"]);
      grant(1);
      const end = { sendComplete: "end null", sendLastResult: 'end "last"', sendError: "failed last" }[finish];
      expect(log).toEqual(["1", "2", end]);
    }
  });

  test("is told that the stream is over, whether it waits or comes later", async () => {
    const { writer, log, client } = open();
    const waiting = writer.sendResult(1);
    client.isOver = true;
    StreamWriter.resume(writer);
    expect(await stateOf(waiting)).toBe("cancelled");
    expect(await stateOf(writer.sendResult(2))).toBe("cancelled");
    expect(await stateOf(writer.ready)).toBe("cancelled");
    writer.sendComplete();
    expect(log).toEqual([]);
  });

  test("is told so after its own end too", async () => {
    const { writer, log } = open(5);
    writer.sendComplete();
    expect(await stateOf(writer.sendResult(1))).toBe("cancelled");
    expect(log).toEqual(["end null"]);
  });

  test("fails with what cannot be sent, as its last chunk too", () => {
    for (const send of ["sendResult", "sendLastResult"] as const) {
      const { writer, log } = open(5);
      void writer[send](1n);
      expect(log).toEqual(["internal no JSON"]);
    }
  });
});
