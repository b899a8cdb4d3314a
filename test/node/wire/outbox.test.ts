import { describe, expect, test } from "vitest";
import { Outbox } from "../../../src/node/wire/outbox.ts";
import type { Pipe } from "../../../src/node/wire/pipe.ts";

const limits = { entries: 3, values: 10 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

function open() {
  const messages: string[] = [];
  const pipe = { bufferedBytes: 5, onSend: (): void => undefined, send: (_bytes: Uint8Array): void => undefined };
  pipe.send = (bytes) => {
    messages.push(Buffer.from(bytes).toString());
    pipe.onSend();
  };
  const outbox = new Outbox(pipe as unknown as Pipe, limits);
  const put = (text: string) => outbox.put(Buffer.from(text));
  return { messages, pipe, outbox, put };
}

describe("what one end of a pipe says", () => {
  test("leaves together, at the end of the turn, once", async () => {
    const { messages, put, outbox } = open();
    expect([put("a"), put("b"), messages]).toEqual([0, 0, []]);
    await turn();
    expect([messages, outbox.sent]).toEqual([["ab"], 1]);
    await turn();
    expect([messages, put("c")]).toEqual([["ab"], 1]);
    await turn();
    expect(messages).toEqual(["ab", "c"]);
  });

  test("leaves at once where it is as many entries, or as many bytes, as a message may have", () => {
    const { messages, put } = open();
    for (const text of ["a", "b", "c"]) put(text);
    expect(messages).toEqual([]);
    expect([put("d"), messages]).toEqual([1, ["abc"]]);
    put("123456789");
    expect(messages).toEqual(["abc"]);
    expect([put("x"), messages]).toEqual([2, ["abc", "d123456789"]]);
    // One that is longer alone goes alone.
    put("x".repeat(20));
    expect(messages.at(-1)).toBe("x");
    put("y");
    expect(messages.at(-1)).toBe("x".repeat(20));
  });

  test("is sent at once where it is a message of its own", () => {
    const { messages, outbox } = open();
    outbox.send(Buffer.from("now"));
    expect([messages, outbox.sent, outbox.bufferedBytes]).toEqual([["now"], 1, 5]);
  });

  test("is dropped once the pipe is closed, also where that comes of sending", async () => {
    const { messages, pipe, outbox, put } = open();
    put("never");
    outbox.close();
    put("nor this");
    outbox.send(Buffer.from("nor this"));
    outbox.flush();
    await turn();
    expect([messages, outbox.sent]).toEqual([[], 0]);
    const other = open();
    other.pipe.onSend = () => other.outbox.close();
    for (const text of ["a", "b", "c", "d"]) other.put(text);
    await turn();
    expect(other.messages).toEqual(["abc"]);
    expect(pipe.bufferedBytes).toBe(5);
  });
});
