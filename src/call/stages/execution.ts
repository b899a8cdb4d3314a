import type { FunConfig } from "../../config/fun-config.ts";
import { shown } from "../../core/faults.ts";
import { nextStep } from "../../policy/retry.ts";
import type { CompiledFunction } from "../functions/compile-function.ts";
import { invalidRequest, retryExhausted, unavailable } from "../request/failure.ts";
import { type PoolPlace, placeIn } from "./pool-place.ts";
import { reportRejection } from "./rejection.ts";
import { type Stage, type Verdict, waiting } from "./stage.ts";
import { counted, mfaText, timeText } from "./words.ts";

/**
 * Runs the function, and again according to its FunConfig's `retry`. The call answers itself, and acknowledges long
 * ones.
 */
export const execution: Stage = {
  name: "execution",

  run(call, { config }, deps) {
    if (config.responseType === "stream") {
      const { calls } = call.caller;
      if (calls.hasStream(call.requestId)) {
        return invalidRequest(`A stream with request_id ${shown(call.requestId)} is live on this channel`);
      }
      if (calls.inFlight?.isFullOfStreams) {
        reportRejection(call.caller, "too_many_streams", deps.gateway);
        return unavailable;
      }
    }
    call.execute();
    return waiting;
  },

  describe({ config: { mfa, timeout, retry, responseType, requestInfo } }) {
    const time = timeout === "infinity" ? "without a time limit" : `at most ${timeText(timeout)}`;
    const retries = retry === null || retry === 0 ? "" : `, retry ${retryText(retry)}`;
    const info = requestInfo ? ", with requestInfo" : "";
    return {
      summary: `${responseType} ${mfaText(mfa)}, ${time}${retries}${info}`,
      details: {
        responseType,
        mfa: { module: mfa.module, function: mfa.function, arguments: mfa.args.length },
        timeout,
        retry,
        requestInfo,
      },
    };
  },

  inspect({ compiled, deps }) {
    const { config, target } = compiled;
    if (config.nodes !== "local") {
      const summary = "it would be sent to the node, which may be too busy to take it";
      return { summary, details: {}, failure: null, isUnknown: true };
    }
    if (config.runOn === "main") return { summary: "it would run at once", details: {}, failure: null };
    const isStream = config.responseType === "stream";
    const place = placeIn(deps.pool(isStream ? "stream" : "async"), target);
    const { summary, details } = place;
    // The call's time runs while it waits.
    if (!place.isRefused) return { summary, details, failure: null, isUnknown: place.isWaiting };
    // A stream has one attempt.
    return isStream ? { summary, details, failure: unavailable } : refusedAttempt(place, compiled);
  },
};

function retryText(retry: Exclude<FunConfig["retry"], null>): string {
  if (typeof retry === "number") return `${retry}, on any node`;
  return "sameNode" in retry ? `${retry.sameNode}, on the same node` : `${retry.allNodes}, on any node`;
}

/** The outcome of a first attempt that its pool refuses: with `retry`, the pool may accept it later. */
function refusedAttempt({ summary, details }: PoolPlace, { retryPlan }: CompiledFunction): Verdict {
  const { step } = nextStep(retryPlan, 0, unavailable, () => 0);
  if (retryPlan === null || step !== "retry") return { summary, details, failure: unavailable };
  const again = `${summary}; it would be tried again, ${counted(retryPlan.retries, "time")} at most`;
  return { summary: again, details, failure: retryExhausted, isUnknown: true };
}
