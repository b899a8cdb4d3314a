import { holdsService } from "../config/define-service.ts";
import type { FunConfigInput } from "../config/fun-config.ts";
import type { ResolvedProgramOptions } from "./program-options.ts";

type Given = Pick<ResolvedProgramOptions, "modules" | "functions">;

/** The program's modules by name, and those that services of `defineService` name themselves. */
export function modulesOf({ modules, functions }: Given): Map<string, string> {
  const named = new Map(Object.entries(modules));
  for (const given of functions) {
    if (holdsService(given) && given.url !== null && !named.has(given.service)) named.set(given.service, given.url);
  }
  return named;
}

/** The FunConfigs of the program's services and those that stand for themselves. */
export function functionsOf({ functions }: Given): FunConfigInput[] {
  return functions.flatMap((given) => (holdsService(given) ? given.functions : [given]));
}
