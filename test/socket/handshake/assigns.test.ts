import { describe, expect, test } from "vitest";
import { readAssigns } from "../../../src/socket/handshake/assigns.ts";

describe("what connect returns", () => {
  test.each([
    [{ userRoles: [1] }, ".userRoles must be a list of at most 1000 strings"],
    [{ userRoles: ["user", null] }, ".userRoles must be a list of at most 1000 strings"],
    [{ userRoles: "admin" }, ".userRoles must be a list of at most 1000 strings"],
    [{ userRoles: null }, ".userRoles must be a list of at most 1000 strings"],
    [{ userId: 1 }, ".userId must be a string"],
    [{ deviceId: {} }, ".deviceId must be a string"],
    [{ id: true }, ".id must be a string"],
    [[], " must be an object or null"],
    [new Error("no"), " must be an object or null"],
    ["u1", " must be an object or null"],
  ])("is refused where it is %j", (returned, fault) => {
    expect(() => readAssigns(returned, 0)).toThrowError(
      expect.objectContaining({
        code: "invalid_option",
        message: expect.stringContaining(`What connect returns${fault}, got `),
      }),
    );
  });

  test("is refused unread where its list of roles is endless", () => {
    const userRoles: string[] = [];
    userRoles.length = 2 ** 32 - 1;
    expect(() => readAssigns({ userRoles }, 0)).toThrowError(
      /userRoles must be a list of at most 1000 strings, got list/,
    );
  });

  test("may leave out, or have as null, what it does not know", () => {
    const fields = { userId: null, deviceId: undefined, id: null, expiresAt: null };
    expect(readAssigns(fields, 0)).toEqual({ assigns: fields });
    expect(readAssigns({}, 0)).toEqual({ assigns: {} });
  });

  test("ends after now, and no later than a Date can tell", () => {
    const at = (expiresAt: number) => readAssigns({ expiresAt }, 1_000);
    expect(at(1_000)).toEqual({ status: 403, reason: "expiresAt has passed" });
    expect(at(1_001)).toEqual({ assigns: { expiresAt: 1_001 } });
    expect(at(8_640_000_000_000_000)).toEqual({ assigns: { expiresAt: 8_640_000_000_000_000 } });
    expect(at(8_640_000_000_000_001)).toEqual({ status: 403, reason: "expiresAt is not a time" });
  });

  test("is copied: what its list of roles becomes later changes nobody's roles", () => {
    const userRoles = ["user"];
    const read = readAssigns({ userRoles }, 0);
    userRoles.push("admin");
    expect(read).toEqual({ assigns: { userRoles: ["user"] } });
  });
});
