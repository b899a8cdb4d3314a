import { createRequire } from "node:module";
import { libraryError, toError } from "./errors.ts";

/**
 * Loads an optional package, which a program installs only for the features that need it.
 *
 * @param user the feature, for the message: "gen-api/metrics"
 * @throws GenApiError `invalid_option` if it is not installed or cannot be loaded
 */
export function requireOptional<Package>(name: string, user: string): Package {
  try {
    return createRequire(import.meta.url)(name) as Package;
  } catch (thrown) {
    const cause = toError(thrown);
    const problem = `${user} needs the package ${name}: run \`npm install ${name}\``;
    throw libraryError("invalid_option", `${problem} (${cause.message.split("\n")[0]})`, { cause });
  }
}
