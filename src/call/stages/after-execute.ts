import type { CompiledFunction } from "../functions/compile-function.ts";
import type { Verdict } from "./stage.ts";
import type { StageText } from "./stage-text.ts";
import { mfaText } from "./words.ts";

/**
 * The FunConfig's hook that sees every Response, including refusals, and may replace it. The call runs it as it
 * answers.
 */
export const afterExecute = {
  name: "after_execute",

  describe({ config: { afterExecute: hook, hookTimeout } }: CompiledFunction): StageText | null {
    return hook === null ? null : { summary: `${mfaText(hook)} may replace the Response`, details: { hookTimeout } };
  },

  inspect(compiled: CompiledFunction): Verdict | null {
    const described = afterExecute.describe(compiled);
    return described === null ? null : { ...described, failure: null, isUnknown: true };
  },
} as const;
