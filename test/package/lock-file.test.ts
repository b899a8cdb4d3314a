import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

interface LockedPackage {
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type LockedPackages = Readonly<Record<string, LockedPackage>>;

function packagesOf(file: string): LockedPackages {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly packages: LockedPackages }).packages;
}

const lockFiles = ["package-lock.json", "test/checkers/package-lock.json"].map(
  (file) => [file, packagesOf(file)] as const,
);

/** Paths and names in a lock file of those that the predicate takes. */
const those = (packages: LockedPackages, predicate: (locked: LockedPackage) => boolean) =>
  Object.entries(packages)
    .filter(([, entry]) => predicate(entry))
    .map(([path]) => path);

describe.each(lockFiles)("%s", (_file, packages) => {
  test("has no package that runs a script when it is installed", () => {
    expect(Object.keys(packages).length).toBeGreaterThan(100);
    expect(those(packages, ({ hasInstallScript }) => hasInstallScript === true)).toEqual([]);
  });

  test("names no address: each registry, proxy and mirror serves it", () => {
    expect(those(packages, ({ resolved }) => resolved !== undefined)).toEqual([]);
  });

  test("has what every platform needs: an install changes it nowhere", () => {
    const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !isLocked(packages, path, name)),
    );
    expect(missing).toEqual([]);
  });
});

/** Whether a package finds another one where Node looks for it. */
function isLocked(packages: LockedPackages, path: string, name: string): boolean {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf("node_modules/") - 1))) {
    if (`${from === "" ? "" : `${from}/`}node_modules/${name}` in packages) return true;
    if (from === "") return false;
  }
}
