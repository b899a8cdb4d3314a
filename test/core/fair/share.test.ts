import { expect, test } from "vitest";
import { hostShare, shareOf } from "../../../src/core/fair/share.ts";

test("all connections of a user have one identity, whatever network they come from", () => {
  expect(shareOf("alice", "10.0.0.1", "c1").identity).toBe(shareOf("alice", "10.0.0.2", "c2").identity);
  expect(shareOf("alice", "10.0.0.1", "c1").identity).not.toBe(shareOf("bob", "10.0.0.1", "c1").identity);
});

test("a client that is nobody is known by its network, also where its user id is empty", () => {
  expect(shareOf(null, "10.0.0.1", "c1").identity).toBe(shareOf("", "10.0.0.1", "c2").identity);
  expect(shareOf(null, "10.0.0.1", "c1").identity).not.toBe(shareOf(null, "10.0.0.2", "c1").identity);
});

test("nobody gets another's share by the choice of a user id", () => {
  const network = shareOf(null, "10.0.0.1", "c1").identity;
  for (const userId of ["10.0.0.1", network, hostShare.identity]) {
    expect([network, hostShare.identity]).not.toContain(shareOf(userId, "10.0.0.1", "c1").identity);
  }
});
