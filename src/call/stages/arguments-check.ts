import { ArgumentsQuestion } from "../arguments-question.ts";
import { unavailable } from "../request/failure.ts";
import { placeIn } from "./pool-place.ts";
import { type Stage, waiting } from "./stage.ts";

/**
 * Lets the function's own schema see the arguments of a call that is to be acknowledged, where the function itself would
 * run. Nodes check after the acknowledgement, and so do functions that are not acknowledged: they are asked only once.
 */
export const argumentsCheck: Stage = {
  name: "arguments_check",

  run(call, compiled, deps, proceed) {
    const { argumentsCheck: check } = compiled;
    if (check === null) return undefined;
    const question = new ArgumentsQuestion(call, compiled, check, deps, () => proceed(call, deps));
    call.question = question;
    question.ask();
    return waiting;
  },

  describe({ argumentsCheck: check }) {
    return check === null ? null : { summary: "the function's schema decides", details: { timeout: check.timeoutMs } };
  },

  inspect({ compiled: { argumentsCheck: check, config }, deps }) {
    if (check === null) return null;
    const asked = "the function's schema would be asked";
    if (config.runOn === "worker") {
      const { isRefused, summary, details } = placeIn(deps.pool("async"), check);
      if (isRefused) return { summary: `${asked}: ${summary}`, details, failure: unavailable };
    }
    return { summary: asked, details: {}, failure: null, isUnknown: true };
  },
};
