import { describe, expect, test } from "vitest";
import { unknownKeysFault } from "../../src/core/faults.ts";
import { resolveOptions } from "../../src/runtime/options/options.ts";

describe("a key that is not known", () => {
  const many = ["listen", "server", ..."abcdefghijklmnop"];

  test("is named with those that are allowed", () => {
    expect(unknownKeysFault(["prot"], ["host", "port"])).toBe('has unknown keys: "prot" (allowed: "host", "port")');
  });

  test.each(["lisen", "Listen", "listten", "lisetn", "lissen", "isten"])(
    "is named with the nearest where many are allowed: %s",
    (key) => {
      expect(unknownKeysFault([key], many)).toBe(`has unknown keys: "${key}" (nearest: "listen")`);
    },
  );

  test("that is near none of many is named with all of them", () => {
    expect(unknownKeysFault(["tls"], many)).toContain('(allowed: "listen", "server", "a"');
  });

  test.each([
    [{ lisen: {} }, 'has unknown keys: "lisen" (nearest: "listen")'],
    [{ intensity: { max: 1 } }, 'intensity has unknown keys: "max" (allowed: "maxRestarts", "withinMs")'],
    [{ admin: { listen: "127.0.0.1:0", tokken: "t" } }, 'admin has unknown keys: "tokken" (allowed: "listen", "token"'],
  ])("of startGenApi, as in %j", (options, fault) => {
    expect(() => resolveOptions(options)).toThrow(fault);
  });
});
