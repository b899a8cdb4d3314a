import { describe, expect, it } from "vitest";
import { TooDeep } from "../../src/protocol/message.ts";
import { serializerV1 } from "../../src/protocol/serializer-v1.ts";
import { serializerV2 } from "../../src/protocol/serializer-v2.ts";

const maxPayloadBytes = 1_000_000;
// Above 4 096 bytes a payload is looked at before it is parsed.
const filler = "x".repeat(5_000);

describe.each([serializerV1, serializerV2])("a large frame of version $vsn", (serializer) => {
  const frameOf = (payload: string, topic = "t", ref = "1") =>
    Buffer.from(serializer.encode(null, ref, topic, "e", payload));
  /** Reads it where its event may have payloads of `allowed` bytes. */
  const read = (payload: string, allowed = maxPayloadBytes) =>
    serializer.decode(frameOf(payload), false, { maxPayloadBytes, maxPayloadBytesOf: () => allowed });

  it("has a payload as large as its event may have, and no larger", () => {
    const payload = JSON.stringify({ filler });
    expect(read(payload, payload.length)).toMatchObject({ payload: { filler }, bytes: payload.length });
    expect(read(payload, payload.length - 1)).toMatchObject({ payload: undefined, weight: 0 });
  });

  it("may be as large as any payload, and no larger", () => {
    const payload = JSON.stringify("x".repeat(maxPayloadBytes - 2));
    expect(read(payload)).toMatchObject({ bytes: maxPayloadBytes, payload: expect.any(String) });
    expect(read(JSON.stringify("x".repeat(maxPayloadBytes - 1)))).toMatchObject({ payload: undefined, weight: 0 });
  });

  it("tells the request id of a payload that is larger than any may be", () => {
    const idOf = (start: string) => {
      const message = read(`{${start}"filler":"${"x".repeat(maxPayloadBytes)}"}`);
      expect(message.payload).toBeUndefined();
      return message.requestId;
    };
    expect(idOf('"request_id":"r1",')).toBe("r1");
    expect(idOf(`"request_id":${JSON.stringify("\u0001".repeat(1_024))},`)).toBe("\u0001".repeat(1_024));
    expect(idOf(`"request_id":"${"r".repeat(8_190)}",`)).toHaveLength(8_190);
    // Nothing that is no id, and no more than an id can take.
    for (const id of ["1", "null", '["r1"]', "nonsense", `"${"r".repeat(8_191)}"`]) {
      expect(idOf(`"request_id":${id},`)).toBeUndefined();
    }
    expect(idOf("")).toBeUndefined();
    expect(idOf('"inner":{"request_id":"r1"},')).toBeUndefined();
  });

  it("may be nested 512 levels deep; one that is nested deeper is not parsed, and tells its request id", () => {
    const nested = (levels: number) =>
      `{"request_id":"r1","filler":"${filler}","deep":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    expect(read(nested(512)).payload).toMatchObject({ request_id: "r1" });
    const { payload, weight, bytes } = read(nested(513));
    expect(payload).toEqual(new TooDeep("r1"));
    expect([weight, bytes]).toEqual([0, nested(513).length]);
  });

  it("weighs its bytes, and 32 more for each value that it holds", () => {
    const payload = JSON.stringify([filler, 1, 2, { a: 3 }]);
    // Two brackets and three commas.
    expect(read(payload).weight).toBe(payload.length + 5 * 32);
    expect(read(JSON.stringify(filler)).weight).toBe(filler.length + 2);
  });

  it("that is none is refused by what it lacks", () => {
    const refused = (frame: string, why: string) => {
      const limit = { maxPayloadBytes, maxPayloadBytesOf: () => maxPayloadBytes };
      expect(() => serializer.decode(Buffer.from(frame), false, limit)).toThrowError(
        expect.objectContaining({ code: "invalid_request", message: expect.stringContaining(why) }),
      );
    };
    refused(JSON.stringify(filler), "it has no payload");
    refused(frameOf(filler).toString(), "it is not JSON");
    refused(frameOf(`{"a":"${filler}"]`).toString(), "it is not JSON");
    refused(frameOf(`"${filler}"`, "t".repeat(40_000)).toString(), "the part around its payload is too large");
  });

  it("may have names as long as they may be, escaped as far as they can be", () => {
    const topic = "\u0001".repeat(1_024);
    const message = serializer.decode(frameOf(JSON.stringify({ filler }), topic, topic), false, {
      maxPayloadBytes,
      maxPayloadBytesOf: (asked) => (asked === topic ? maxPayloadBytes : 0),
    });
    expect(message).toMatchObject({ topic, ref: topic, payload: { filler } });
  });
});

describe("a large frame of version 2", () => {
  it("is refused its payload by what comes before that, which is not even searched for its end", () => {
    const limit = { maxPayloadBytes, maxPayloadBytesOf: () => 4_096 };
    const frame = Buffer.from(`["1","2","t","e",${"[".repeat(500_000)}`);
    expect(serializerV2.decode(frame, false, limit)).toMatchObject({
      joinRef: "1",
      ref: "2",
      topic: "t",
      event: "e",
      payload: undefined,
      weight: 0,
    });
  });

  it("that is binary may have a payload as large as its event may have, and no larger, and weighs as much", () => {
    const head = Buffer.from("0001010101" + "31" + "32" + "74" + "65", "hex");
    const read = (bytes: number) =>
      serializerV2.decode(Buffer.concat([head, Buffer.alloc(bytes)]), true, {
        maxPayloadBytes,
        maxPayloadBytesOf: (topic, event) => (topic === "t" && event === "e" ? 10_000 : 0),
      });
    expect(read(10_000)).toMatchObject({ payload: Buffer.alloc(10_000), bytes: 10_000, weight: 10_000 });
    expect(read(10_001)).toMatchObject({ payload: undefined, bytes: 10_001, weight: 0 });
    expect(read(0)).toMatchObject({ payload: Buffer.alloc(0), bytes: 0, weight: 0 });
  });
});
