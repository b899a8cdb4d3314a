import type { Missing } from "../../config/function-table.ts";
import type { Call } from "../call.ts";
import { findFunction } from "../find-function.ts";
import type { CompiledFunction } from "../functions/compile-function.ts";
import type { PipelineDeps } from "../pipeline-deps.ts";
import { type Failure, refusal, unavailable } from "../request/failure.ts";
import { type Request, versionFault } from "../request/request.ts";
import type { DryRunDeps, Verdict } from "./stage.ts";
import type { StageText } from "./stage-text.ts";
import { originText } from "./words.ts";

/** Finds the function that a request names, before all stages. */
export const resolve = {
  name: "resolve",

  run(call: Call, deps: PipelineDeps): Failure | undefined {
    const { service, requestType, version } = call.request;
    const found = findFunction(deps, service, requestType, version);
    if (typeof found === "string") return missing(call.request, found, deps).failure;
    call.compiled = found;
    return undefined;
  },

  describe({ config: { requestType, version, disabled } }: CompiledFunction): StageText {
    const named = `${requestType} ${version === null ? "unversioned" : `version ${version}`}`;
    return { summary: `${named}${disabled ? ", disabled" : ""}`, details: { disabled } };
  },

  inspect(request: Request, found: CompiledFunction | Missing, deps: DryRunDeps): Verdict {
    if (deps.isDraining()) return { summary: "the gateway is draining", details: {}, failure: unavailable };
    if (typeof found === "string") return { ...missing(request, found, deps), details: {} };
    const { version } = found.config;
    const { origin = "host" } = found;
    const summary = `${version === null ? "unversioned" : `version ${version}`}, ${originText(origin)}`;
    return { summary, details: { version, origin }, failure: null };
  },
} as const;

/** Why a request has no function. */
function missing(
  { service, requestType, version }: Request,
  found: Missing,
  deps: Pick<PipelineDeps, "mayHave">,
): { summary: string; failure: Failure } {
  const named = `${requestType} version ${version ?? "latest"}`;
  if (found === "disabled") {
    return { summary: `${named} is disabled`, failure: refusal("disabled", `disabled function: ${named}`) };
  }
  const fault = versionFault(version);
  if (fault !== null) return { summary: "no version that can be", failure: fault };
  if (deps.mayHave(service)) {
    const summary = `the service ${service} is still expected, or the gateway does not see what others know`;
    return { summary, failure: unavailable };
  }
  return { summary: `there is no ${named}`, failure: refusal("not_found", `unsupported function: ${named}`) };
}
