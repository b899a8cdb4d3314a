import { holdsService } from "../../config/define-service.ts";
import type { FunConfigInput } from "../../config/fun-config.ts";
import { Modules } from "../../config/modules.ts";
import type { ResolvedProgramOptions } from "./program-options.ts";

type Given = Pick<ResolvedProgramOptions, "modules" | "functions">;

/** The program's modules by name, and those that services of `defineService` name themselves. */
export function modulesOf({ modules, functions }: Given): Modules {
  return new Modules(Object.entries(modules), functions.filter(holdsService));
}

/** The FunConfigs of the program's services and those that stand for themselves; the same object twice counts once. */
export function functionsOf({ functions }: Given): FunConfigInput[] {
  return [...new Set(functions)].flatMap((given) => (holdsService(given) ? given.functions : [given]));
}
