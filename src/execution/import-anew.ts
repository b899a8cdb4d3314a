import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { libraryError } from "../core/errors.ts";

// One for the whole process: two programs in it must not get each other's instances.
let reloads = 0;

/** The URL under which Node imports the module as one that it does not know: a new number at each call. */
export function freshUrl(module: string): string {
  const url = new URL(module);
  const name = `gen-api-reload=${++reloads}`;
  // All of a data: URL but the fragment is the module's source.
  if (url.protocol === "data:") url.hash = name;
  else url.search = url.search === "" ? name : `${url.search}&${name}`;
  return url.href;
}

/**
 * Imports a module under its {@link freshUrl}. Node keeps CommonJS modules by their path, so that the known instance must
 * stand aside meanwhile; the rest of the program finds it again.
 *
 * @throws GenApiError `module_unreadable` for the program's start file, which would start the program again
 */
export async function importAnew(module: string, url: string): Promise<object> {
  const path = pathOf(module);
  if (path !== null && isStartFile(path)) {
    const problem = "it is the file that the program was started with, which would run a second time";
    throw libraryError("module_unreadable", `${problem}; move the functions into a file of their own`);
  }
  const { cache } = createRequire(import.meta.url);
  const known = path === null ? undefined : cache[path];
  if (path === null || known === undefined) return import(url);
  delete cache[path];
  try {
    return await import(url);
  } finally {
    cache[path] = known;
  }
}

/** The path of a module's file; null if it is not a file. */
function pathOf(module: string): string | null {
  if (!module.startsWith("file:")) return null;
  try {
    return realpathSync(fileURLToPath(module));
  } catch {
    // Its import tells what is wrong with it.
    return null;
  }
}

function isStartFile(path: string): boolean {
  const [, start] = process.argv;
  try {
    return start !== undefined && realpathSync(start) === path;
  } catch {
    // Node was started without a file.
    return false;
  }
}
