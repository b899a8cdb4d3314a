import { expect, test } from "vitest";
import { FailedConfigs } from "../../../src/sync/push/failed-configs.ts";

const failed = (requestType: string, at: number, service = "users", faults: readonly string[] = ["wrong"]) => ({
  requestType,
  version: null,
  faults,
  at,
  service,
  node: "a",
  via: "push" as const,
});
const typesOf = (failures: FailedConfigs, service?: string) => failures.list(service).map((each) => each.requestType);

test("The last of them are kept, the newest last, and all are counted", () => {
  const failures = new FailedConfigs(3);
  expect(failures.summary()).toEqual({ count: 0, total: 0, services: {}, lastAt: null });
  for (const [index, type] of ["a", "b", "c"].entries()) failures.add(failed(type, index));
  expect(typesOf(failures)).toEqual(["a", "b", "c"]);
  failures.add(failed("d", 3, "orders"));
  failures.add(failed("e", 4));
  expect([typesOf(failures), typesOf(failures, "users"), typesOf(failures, "other")]).toEqual([
    ["c", "d", "e"],
    ["c", "e"],
    [],
  ]);
  expect(failures.summary()).toEqual({ count: 3, total: 5, services: { users: 2, orders: 1 }, lastAt: 4 });
});

test("After a clear it begins anew", () => {
  const failures = new FailedConfigs(2);
  for (const type of ["a", "b", "c"]) failures.add(failed(type, 1));
  failures.clear();
  expect(failures.summary()).toEqual({ count: 0, total: 0, services: {}, lastAt: null });
  failures.add(failed("d", 2));
  expect([typesOf(failures), failures.summary().total]).toEqual([["d"], 1]);
});

test("What came of arguments is not kept: it may be a secret", () => {
  const failures = new FailedConfigs();
  failures.add(
    failed("a", 1, "users", [
      'mfa.args[0] must be JSON, got "secret\nand more"',
      'nodes.args must be a list, got "secret"',
      "timeout must be a number, got 5",
      'mfaX must be something, got "told"',
    ]),
  );
  expect(failures.list()[0]?.faults).toEqual([
    "mfa.args[0] must be JSON",
    "nodes.args must be a list",
    "timeout must be a number, got 5",
    'mfaX must be something, got "told"',
  ]);
});
