import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGenApiError } from "../../src/core/errors.ts";
import type { Ref } from "../../src/protocol/message.ts";
import { negotiate } from "../../src/protocol/negotiate.ts";
import type { Serializer } from "../../src/protocol/serializer.ts";
import { serializerV1 } from "../../src/protocol/serializer-v1.ts";
import { serializerV2 } from "../../src/protocol/serializer-v2.ts";
import { anyCharacter } from "../support/any-character.ts";

const limit = 1_000_000;
const ref = fc.oneof(fc.string({ unit: anyCharacter }), fc.integer(), fc.constant(null)) as fc.Arbitrary<Ref>;
const text = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.constantFrom("__proto__", "constructor", "\ud800", '"', ""),
);
const json = fc.jsonValue();

const decode = (serializer: Serializer, frame: string | Buffer, max = limit) => {
  const { weight: _, ...message } = serializer.decode(Buffer.from(frame as string), typeof frame !== "string", {
    maxPayloadBytes: max,
    maxPayloadBytesOf: () => max,
  });
  return message;
};

// A lone surrogate cannot travel as UTF-8: JSON.stringify escapes it, so frames made by it keep it.
describe.each([serializerV1, serializerV2])("the serializer of version $vsn", (serializer) => {
  const isV2 = serializer === serializerV2;

  it("reads back every message that it writes", () => {
    fc.assert(
      fc.property(ref, ref, text, text, json, (joinRef, ref, topic, event, payload) => {
        const frame = serializer.encode(joinRef, ref, topic, event, JSON.stringify(payload));
        const expected = {
          joinRef: isV2 ? joinRef : null,
          ref,
          topic,
          event,
          payload: JSON.parse(JSON.stringify(payload)),
        };
        expect(decode(serializer, frame)).toEqual({ ...expected, bytes: Buffer.byteLength(frame) });
      }),
    );
  });

  it("encodes for a channel what it encodes for any message", () => {
    fc.assert(
      fc.property(ref, ref, text, text, json, (joinRef, ref, topic, event, payload) => {
        const encoder = serializer.forChannel(joinRef, topic, event);
        const body = JSON.stringify(payload);
        expect(JSON.parse(encoder.push(body))).toEqual(
          JSON.parse(serializer.encode(joinRef, null, topic, event, body)),
        );
        const reply = JSON.stringify({ status: "ok", response: payload });
        expect(JSON.parse(encoder.reply(ref, "ok", body))).toEqual(
          JSON.parse(serializer.encode(joinRef, ref, topic, "phx_reply", reply)),
        );
      }),
    );
  });

  it("answers any bytes with a message or a decode error, never with anything else", () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      json.map((value) => Buffer.from(JSON.stringify(value))),
      fc.array(json, { minLength: 3, maxLength: 6 }).map((value) => Buffer.from(JSON.stringify(value))),
      fc
        .record({ topic: json, event: json, payload: json, ref: json })
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(garbage, fc.boolean(), fc.constantFrom(0, 20, limit), (data, isBinary, max) => {
        try {
          const limit = { maxPayloadBytes: max, maxPayloadBytesOf: () => max };
          const message = serializer.decode(data, isBinary, limit);
          expect(typeof message.topic).toBe("string");
          expect(typeof message.event).toBe("string");
        } catch (error) {
          expect(isGenApiError(error) && error.code === "invalid_request").toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("tells a large payload's exact size without parsing it, whatever surrounds it", () => {
    fc.assert(
      fc.property(ref, text, json, fc.string({ unit: anyCharacter, minLength: 100 }), (ref, topic, value, filler) => {
        const payload = JSON.stringify({ "pay,load": [value, filler] });
        const space = " \n";
        const frame = isV2
          ? `${space}[null, ${JSON.stringify(ref)},${JSON.stringify(topic)},"e",${payload},{"more":[1]}]${space}`
          : `${space}{"payload":1,"x":[{}],"topic":${JSON.stringify(topic)},"payload" :${payload},"event":"e","ref":${JSON.stringify(ref)}}`;
        const bytes = Buffer.byteLength(payload);
        const outside = Buffer.byteLength(frame) - bytes;
        fc.pre(outside < bytes);
        expect(decode(serializer, frame, bytes - 1)).toEqual({
          joinRef: null,
          ref,
          topic,
          event: "e",
          payload: undefined,
          bytes,
        });
        expect(decode(serializer, frame, bytes)).toMatchObject({ payload: JSON.parse(payload), bytes });
      }),
    );
  });

  it("refuses frames whose other parts are larger than a payload may be", () => {
    const frame = serializer.encode(null, "1", "t".repeat(1_000), "e", "{}");
    expect(() => decode(serializer, frame, 500)).toThrow("the part around its payload is too large");
  });

  it("takes topics, events and refs of 1024 characters, and refuses longer ones", () => {
    const longest = "x".repeat(1_024);
    expect(decode(serializer, serializer.encode(null, longest, longest, longest, "{}"))).toMatchObject({
      ref: longest,
      topic: longest,
      event: longest,
    });
    const long = "x".repeat(1_025);
    for (const [ref, topic, event, name] of [
      [long, "t", "e", "ref"],
      ["1", long, "e", "topic"],
      ["1", "t", long, "event"],
    ] as const) {
      const frame = serializer.encode(null, ref, topic, event, "{}");
      expect(() => decode(serializer, frame)).toThrow(`${name} must have at most 1024 characters, got 1025`);
    }
  });

  it("refuses refs that could not be sent back as they came", () => {
    for (const ref of ["1e999", "1e300", "-1e40", "9".repeat(41), "true", "[]", '{"a":1}']) {
      const frame = serializer.encode(null, "1", "t", "e", "{}").replace('"1"', ref);
      expect(() => decode(serializer, frame)).toThrow(
        "ref must be a string, a number of at most 40 digits or null, got ",
      );
    }
  });

  it("takes numbers as refs, fractions and up to 40 digits among them", () => {
    for (const ref of [
      "0",
      "-7",
      "0.5",
      "1e-7",
      "9007199254740991",
      "9007199254740993",
      "9".repeat(40),
      `-${"9".repeat(40)}`,
    ]) {
      const frame = serializer.encode(null, "1", "t", "e", "{}").replace('"1"', ref);
      const message = decode(serializer, frame);
      expect(serializer.encode(null, message.ref, "t", "e", "{}")).toBe(frame);
    }
  });

  it("keeps every digit of an integer ref that is larger than a number keeps, in frames of any size", () => {
    const digits = "1732961126123456789";
    for (const payload of ["{}", JSON.stringify({ text: "x".repeat(10_000) })]) {
      const frame = serializer.encode("1", "2", "t", "e", payload).replace('"2"', digits);
      const { ref } = decode(serializer, frame);
      expect(serializer.encode("1", ref, "t", "e", payload)).toBe(frame);
    }
  });

  it("does not parse the payload of an event that may not have a large one, and says how large it was", () => {
    const payload = JSON.stringify(Array.from({ length: 10_000 }, () => ({})));
    const frame = serializer.encode(null, "1", "t", "cancel", payload);
    const small = {
      maxPayloadBytes: limit,
      maxPayloadBytesOf: (_topic: string, event: string) => (event === "cancel" ? 4_096 : limit),
    };
    const message = serializer.decode(Buffer.from(frame), false, small);
    expect(message).toMatchObject({ event: "cancel", payload: undefined, weight: 0 });
    expect(Math.abs(message.bytes - payload.length)).toBeLessThan(10);
  });

  it("weighs a payload by what it becomes: many small values take more than one long text of as many bytes", () => {
    const weigh = (payload: string) =>
      serializer.decode(Buffer.from(serializer.encode(null, "1", "t", "e", payload)), false, {
        maxPayloadBytes: limit,
        maxPayloadBytesOf: () => limit,
      }).weight;
    const bytes = 300_000;
    expect(weigh(JSON.stringify("x".repeat(bytes)))).toBeLessThan(bytes * 1.1);
    expect(weigh(`[${"{},".repeat(bytes / 3)}0]`)).toBeGreaterThan(bytes * 20);
  });
});

describe("version 2", () => {
  const message = { joinRef: "3", ref: "4", topic: "room:1", event: "api" };

  it("reads the official client's frames and ignores elements beyond the fifth", () => {
    expect(decode(serializerV2, '["3","4","room:1","api",{"x":1},"more"]')).toMatchObject({
      ...message,
      payload: { x: 1 },
    });
  });

  it.each([
    "",
    "[]",
    "{}",
    "null",
    '["3","4","room:1","api"]',
    '["3","4",null,"api",{}]',
    '["3","4","a",1,{}]',
    '[{},"4","a","b",{}]',
  ])("refuses %j", (frame) => {
    expect(() => decode(serializerV2, frame)).toThrow("A frame cannot be read");
  });

  it("reads the official client's binary push", () => {
    const frame = Buffer.from("0001010603" + "33" + "35" + "726f6f6d3a31" + "62696e" + "010203", "hex");
    const expected = { joinRef: "3", ref: "5", topic: "room:1", event: "bin", bytes: 3 };
    expect(decode(serializerV2, frame)).toEqual({ ...expected, payload: Buffer.from([1, 2, 3]) });
    expect(decode(serializerV2, frame, 2)).toEqual({ ...expected, payload: undefined });
  });

  it("takes an empty ref of a binary push as none, and lengths as bytes", () => {
    const topic = Buffer.from("é:ü");
    const frame = Buffer.concat([Buffer.from([0, 0, 0, topic.length, 1]), topic, Buffer.from("e")]);
    expect(decode(serializerV2, frame)).toMatchObject({ joinRef: null, ref: null, topic: "é:ü", event: "e", bytes: 0 });
  });

  it.each(["", "00", "0001010603", "00010106033335726f6f6d3a316269", "01000000", "0200000000", "ff00000000"])(
    "refuses the binary frame %j",
    (hex) => {
      expect(() => decode(serializerV2, Buffer.from(hex, "hex"))).toThrow("A frame cannot be read");
    },
  );

  it("writes join_ref, ref, topic, event and payload in this order", () => {
    expect(serializerV2.encode("3", null, "room:1", "api", '{"a":1}')).toBe('["3",null,"room:1","api",{"a":1}]');
    expect(serializerV2.forChannel("3", "room:1", "api").reply("4", "error", '{"reason":"x"}')).toBe(
      '["3","4","room:1","phx_reply",{"status":"error","response":{"reason":"x"}}]',
    );
  });
});

describe("version 1", () => {
  it.each(["topic", "event", "payload", "ref"])("refuses an object without %s", (key) => {
    const frame: Record<string, unknown> = { topic: "t", event: "e", payload: {}, ref: "1", join_ref: "1" };
    delete frame[key];
    expect(() => decode(serializerV1, JSON.stringify(frame))).toThrow(`it lacks the key ${key}`);
  });

  it("does not take what an object inherits for a key", () => {
    const frame = '{"__proto__":{"topic":"t"},"event":"e","payload":{},"ref":"1"}';
    expect(() => decode(serializerV1, frame)).toThrow("it lacks the key topic");
  });

  it("reads join_ref and never writes it", () => {
    const frame = '{"topic":"t","event":"e","payload":{},"ref":"1","join_ref":"9"}';
    expect(decode(serializerV1, frame).joinRef).toBe("9");
    expect(JSON.parse(serializerV1.encode("9", "1", "t", "e", "{}"))).toEqual({
      topic: "t",
      event: "e",
      ref: "1",
      payload: {},
    });
  });
});

describe("the version that a client asks for", () => {
  it.each([
    [undefined, "1.0.0"],
    ["1.0.0", "1.0.0"],
    ["1.0.7", "1.0.0"],
    ["2.0.0", "2.0.0"],
    ["2.0.9", "2.0.0"],
    ["2.0.1-rc.1", "2.0.0"],
  ])("%j is served by %s", (vsn, served) => {
    expect(negotiate(vsn)?.vsn).toBe(served);
  });

  it.each(["", "2", "2.0", "v2.0.0", "=2.0.0", "2.1.0", "3.0.0", "0.9.0", "2.0.0-rc.1", "x", ["2.0.0"], {}, null, 2])(
    "%j is refused",
    (vsn) => {
      expect(negotiate(vsn)).toBeUndefined();
    },
  );
});
