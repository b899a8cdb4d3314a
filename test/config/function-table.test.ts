import fc from "fast-check";
import semver from "semver";
import { describe, expect, test } from "vitest";
import { type FunConfigInput, parseFunConfig } from "../../src/config/fun-config.ts";
import { FunctionTable } from "../../src/config/function-table.ts";

function entry(fields: Partial<FunConfigInput> = {}) {
  const config = parseFunConfig({
    service: "users",
    requestType: "get",
    nodes: "local",
    timeout: 1_000,
    mfa: "users.get",
    ...fields,
  });
  return { config, named: config.version ?? "unversioned" };
}

function storeOf(...configs: Partial<FunConfigInput>[]) {
  const store = new FunctionTable<ReturnType<typeof entry>>();
  for (const fields of configs) store.put(entry(fields));
  return store;
}

const latest = (store: FunctionTable<ReturnType<typeof entry>>) => {
  const found = store.resolve("users", "get", null);
  return typeof found === "string" ? found : found.named;
};

describe("a request without a version gets", () => {
  test("the highest version, compared as numbers", () => {
    expect(latest(storeOf({ version: "9.0.0" }, { version: "10.0.0" }, { version: "2.0.0" }))).toBe("10.0.0");
  });

  test("a release before its own pre-release, and before a later one's", () => {
    expect(latest(storeOf({ version: "2.0.0-rc.1" }, { version: "2.0.0" }))).toBe("2.0.0");
    expect(latest(storeOf({ version: "3.0.0-rc.1" }, { version: "2.0.0" }))).toBe("2.0.0");
  });

  test("the unversioned function before a pre-release, a pre-release when nothing else is enabled", () => {
    expect(latest(storeOf({ version: "1.0.0-rc.1" }, { version: null }))).toBe("unversioned");
    expect(latest(storeOf({ version: "1.0.0-rc.1" }, { version: "1.0.0-rc.2" }))).toBe("1.0.0-rc.2");
    expect(latest(storeOf({ version: "1.0.0-rc.1" }, { version: "1.0.0", disabled: true }))).toBe("1.0.0-rc.1");
  });

  test("an enabled version before a higher one that is disabled", () => {
    expect(latest(storeOf({ version: "1.0.0" }, { version: "2.0.0", disabled: true }))).toBe("1.0.0");
  });

  test("one of these, the first that will do: released versions, then the unversioned; pre-releases only by themselves", () => {
    const all = (...versions: (string | null)[]) =>
      storeOf(...versions.map((version) => ({ version })), { version: "9.0.0", disabled: true })
        .latest("users", "get")
        .map(({ named }) => named);
    expect(all("1.0.0", null, "2.0.0-rc.1", "10.0.0", "2.0.0")).toEqual(["10.0.0", "2.0.0", "1.0.0", "unversioned"]);
    expect(all(null, "2.0.0-rc.1")).toEqual(["unversioned"]);
    expect(all("2.0.0-rc.1", "2.0.0-rc.2")).toEqual(["2.0.0-rc.2", "2.0.0-rc.1"]);
    expect(all()).toEqual([]);
    expect(storeOf().latest("users", "get")).toEqual([]);
  });

  test("the one before, when the newest is deleted or disabled, and the newest when it comes back", () => {
    const store = storeOf({ version: "1.0.0" }, { version: "2.0.0" });
    expect(latest(store)).toBe("2.0.0");
    store.delete("users", "get", "2.0.0");
    expect(latest(store)).toBe("1.0.0");
    store.put(entry({ version: "3.0.0" }));
    expect(latest(store)).toBe("3.0.0");
    store.setDisabled("users", "get", "3.0.0", true);
    expect(latest(store)).toBe("1.0.0");
    store.setDisabled("users", "get", "3.0.0", false);
    expect(latest(store)).toBe("3.0.0");
  });

  test("of versions that differ by their build metadata alone always the same one, whichever came first", () => {
    expect(latest(storeOf({ version: "1.0.0+b" }, { version: "1.0.0+a" }))).toBe("1.0.0+b");
    expect(latest(storeOf({ version: "1.0.0+a" }, { version: "1.0.0+b" }))).toBe("1.0.0+b");
  });

  test("'disabled' when every version is, 'not_found' when there is none", () => {
    expect(latest(storeOf({ version: "1.0.0", disabled: true }, { disabled: true }))).toBe("disabled");
    expect(latest(storeOf())).toBe("not_found");
  });
});

test("the reserved version 0.0.0 asks for the latest", () => {
  const store = storeOf({ version: "1.0.0" });
  expect(store.resolve("users", "get", "0.0.0")).toBe(store.resolve("users", "get", null));
});

test("a version that is named is found alone, told disabled, or not found", () => {
  const store = storeOf({ version: "1.0.0" }, { version: "2.0.0", disabled: true });
  expect(store.resolve("users", "get", "1.0.0")).toMatchObject({ named: "1.0.0" });
  expect(store.resolve("users", "get", "2.0.0")).toBe("disabled");
  expect(store.resolve("users", "get", "3.0.0")).toBe("not_found");
  expect(store.resolve("users", "other", "1.0.0")).toBe("not_found");
});

test("a version that is disabled, and enabled again, is told so", () => {
  const store = storeOf({ version: "1.0.0" });
  expect(store.setDisabled("users", "get", "1.0.0", true)).toMatchObject({ config: { disabled: true } });
  expect(store.resolve("users", "get", "1.0.0")).toBe("disabled");
  expect(latest(store)).toBe("disabled");
  store.setDisabled("users", "get", "1.0.0", false);
  expect(latest(store)).toBe("1.0.0");
  expect(store.setDisabled("users", "get", "9.0.0", true)).toBeUndefined();
  expect(store.count).toBe(1);
});

test("names that every object inherits are names like any other", () => {
  const store = storeOf();
  for (const name of ["__proto__", "constructor", "toString"]) {
    expect(store.resolve(name, name, name)).toBe("not_found");
    store.put(entry({ service: name, requestType: name }));
    expect(store.resolve(name, name, null)).toMatchObject({ config: { service: name } });
  }
  expect(store.count).toBe(3);
});

test("after random puts and deletes it holds what a plain list of them holds", () => {
  const version = fc.constantFrom(null, "1.0.0", "1.2.0", "10.0.0", "2.0.0-rc.1", "2.0.0");
  const step = fc.record({ put: fc.boolean(), version, disabled: fc.boolean(), type: fc.constantFrom("get", "set") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const store = new FunctionTable<ReturnType<typeof entry>>();
      const model = new Map<string, ReturnType<typeof entry>>();
      for (const { put, version, disabled, type } of steps) {
        const key = `${type} ${version}`;
        if (put) {
          const added = entry({ requestType: type, version, disabled });
          store.put(added);
          model.set(key, added);
        } else {
          expect(store.delete("users", type, version)).toBe(model.delete(key));
        }
      }
      expect(store.count).toBe(model.size);
      expect(new Set(store.entries())).toEqual(new Set(model.values()));
      const enabled = [...model.values()].filter(({ config }) => config.requestType === "get" && !config.disabled);
      const releases = enabled.filter(({ config }) => config.version && !semver.prerelease(config.version));
      const best = releases.sort((a, b) => semver.rcompare(a.config.version ?? "", b.config.version ?? ""))[0];
      if (best) expect(store.resolve("users", "get", null)).toBe(best);
    }),
  );
});
