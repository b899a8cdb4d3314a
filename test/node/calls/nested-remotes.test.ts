import { expect, test } from "vitest";
import { NestedRemotes } from "../../../src/node/calls/nested-remotes.ts";
import { fromNode } from "../../../src/node/wire/node-protocol.ts";

const call = ["s", "f", "{}", null, null, false];

function open() {
  const carried: unknown[] = [];
  const nested = new NestedRemotes(
    {
      carry(request) {
        carried.push(request);
        return { cancel: () => void carried.push("cancel"), grant: (chunks) => void carried.push(chunks) };
      },
    },
    () => undefined,
  );
  return { nested, carried };
}

test("a node's messages about calls of its functions are read", () => {
  const { nested, carried } = open();
  expect(nested.received(fromNode.nested, 0, call)).toBe(true);
  expect(nested.received(fromNode.nestedGrant, 0, [2])).toBe(true);
  expect(nested.received(fromNode.nestedCancel, 0, [])).toBe(true);
  // Of a call that has ended, or never was.
  expect(nested.received(fromNode.nestedCancel, 7, [])).toBe(true);
  expect(carried).toMatchObject([{ service: "s", requestType: "f", args: "{}" }, 2, "cancel"]);
});

test.each([
  ["a number that is none", fromNode.nested, "0", call],
  ["a number below 0", fromNode.nested, -1, call],
  ["a service that is no text", fromNode.nested, 0, [1, ...call.slice(1)]],
  ["a type that is no text", fromNode.nested, 0, ["s", null, ...call.slice(2)]],
  ["arguments that are no text", fromNode.nested, 0, ["s", "f", {}, ...call.slice(3)]],
  ["a version that is no text", fromNode.nested, 0, ["s", "f", "{}", 1, null, false]],
  ["a time that is no number", fromNode.nested, 0, ["s", "f", "{}", null, "5", false]],
  ["no kind", fromNode.nested, 0, call.slice(0, 5)],
  ["chunks that are no count", fromNode.nestedGrant, 0, [1.5]],
  ["no chunks", fromNode.nestedGrant, 0, []],
])("%s is not", (_what, operation, number, rest) => {
  const { nested, carried } = open();
  expect(nested.received(operation, number, rest)).toBe(false);
  expect(carried).toEqual([]);
});

test("a number that runs cannot be given again, and without a request behind it no function calls another", () => {
  const { nested } = open();
  expect(nested.received(fromNode.nested, 3, call)).toBe(true);
  expect(nested.received(fromNode.nested, 3, call)).toBe(false);
  expect(new NestedRemotes({}, () => undefined).received(fromNode.nested, 0, call)).toBe(false);
});
