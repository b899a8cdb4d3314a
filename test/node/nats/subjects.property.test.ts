import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isInstance, nodePermissions, Subjects } from "../../../src/node/nats/subjects.ts";
import { decodeName, encodeName } from "../../../src/node/wire/name-token.ts";

/** Whether nats-server would match `subject` with `pattern`. */
function matches(pattern: string, subject: string): boolean {
  const tokens = subject.split(".");
  const wanted = pattern.split(".");
  if (wanted.at(-1) === ">") {
    const start = wanted.slice(0, -1);
    return tokens.length > start.length && start.every((want, at) => want === "*" || want === tokens[at]);
  }
  return wanted.length === tokens.length && wanted.every((want, at) => want === "*" || want === tokens[at]);
}

const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" }),
  fc.constantFrom("users@10.0.0.5", "*", ">", "a.b", "a b", "users@b.open", "\u0000", "discover"),
);
const instance = fc.stringMatching(/^[A-Za-z0-9_-]{16,32}$/);
const subjects = new Subjects("gen_api");

describe("subjects", () => {
  test("carry any name, and give it back", () => {
    fc.assert(
      fc.property(name, instance, instance, (node, own, session) => {
        const token = encodeName(node);
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
        // What is no text in UTF-8 is carried as what UTF-8 makes of it.
        expect(decodeName(token)).toBe(Buffer.from(node).toString());
        const sender = Buffer.from(node).toString();
        expect(subjects.senderOf(subjects.discover(node))).toBe(sender);
        expect(subjects.senderOf(subjects.open(own, node))).toBe(sender);
        expect(subjects.senderOf(`${subjects.up(node, own, session)}.m`)).toBe(sender);
      }),
    );
  });

  test("let a node send as itself and nobody else, and hear itself and nobody else", () => {
    fc.assert(
      fc.property(name, name, instance, instance, (one, other, own, session) => {
        const { publish, subscribe } = nodePermissions(one);
        const may = (patterns: readonly string[], subject: string) => patterns.some((one) => matches(one, subject));
        const isSame = encodeName(one) === encodeName(other);
        for (const subject of [
          subjects.discover(other),
          subjects.open(own, other),
          `${subjects.up(other, own, session)}.m`,
        ]) {
          expect(may(publish, subject)).toBe(isSame);
          expect(may(subscribe, subject)).toBe(false);
        }
        for (const subject of [subjects.gatewayFor(other, own), `${subjects.down(other, own, session)}.m`]) {
          expect(may(subscribe, subject)).toBe(isSame);
          expect(may(publish, subject)).toBe(false);
        }
        expect(may(publish, subjects.gateways)).toBe(false);
        expect(may(subscribe, subjects.gateways)).toBe(true);
        expect(may(subscribe, `${subjects.inbox}.anything`)).toBe(false);
      }),
    );
  });

  test("of a pipe, of opening one and of asking for gateways are never the same", () => {
    fc.assert(
      fc.property(name, instance, instance, (node, own, session) => {
        const pipe = `${subjects.up(node, own, session)}.*`;
        expect(matches(pipe, subjects.open(own, node))).toBe(false);
        expect(matches(pipe, subjects.discover(node))).toBe(false);
        expect(matches(subjects.open(own), subjects.discover(node))).toBe(false);
        expect(matches(subjects.open(own), subjects.open(own, node))).toBe(true);
        expect(matches(subjects.discover(), subjects.discover(node))).toBe(true);
        expect(matches(`${subjects.down(node, own, session)}.*`, subjects.gatewayFor(node, own))).toBe(false);
      }),
    );
  });

  test("take nothing from a message that could act as a wildcard or as more than one token", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom("*", ">", "a.b", "aaaaaaaaaaaaaaaa.>"), fc.anything()),
        (text) => {
          if (isInstance(text)) expect(text).toMatch(/^[A-Za-z0-9_-]{16,32}$/);
        },
      ),
    );
    for (const other of [
      "gen_api",
      "gen_api.up",
      "gen_api.up.",
      "gen_api.up.*.discover",
      "other.up.dXNlcnM.discover",
    ]) {
      expect(subjects.senderOf(other)).toBeNull();
    }
  });
});
