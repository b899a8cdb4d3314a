import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface LockedPackage {
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const { packages } = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8")) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const locked = Object.entries(packages);

/** Paths and names in the lock file of those that the predicate takes. */
const those = (predicate: (locked: LockedPackage) => boolean) =>
  locked.filter(([, entry]) => predicate(entry)).map(([path]) => path);

test("no package that comes with gen-api, nor one of those that test it, runs a script when it is installed", () => {
  expect(locked.length).toBeGreaterThan(100);
  expect(those(({ hasInstallScript }) => hasInstallScript === true)).toEqual([]);
});

test("the lock file names no address: each registry, proxy and mirror serves it", () => {
  expect(those(({ resolved }) => resolved !== undefined)).toEqual([]);
});

test("the lock file has what every platform needs: an install changes it nowhere", () => {
  const missing = locked.flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !isLocked(path, name)),
  );
  expect(missing).toEqual([]);
});

/** Whether a package finds another one where Node looks for it. */
function isLocked(path: string, name: string): boolean {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf("node_modules/") - 1))) {
    if (`${from === "" ? "" : `${from}/`}node_modules/${name}` in packages) return true;
    if (from === "") return false;
  }
}
