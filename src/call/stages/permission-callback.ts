import { PermissionQuestion } from "../permission-question.ts";
import { unavailable } from "../request/failure.ts";
import { placeIn } from "./pool-place.ts";
import { type Stage, waiting } from "./stage.ts";
import { mfaText } from "./words.ts";

/** Asks the FunConfig's own permission function, where the function itself would run. Only `true` permits. */
export const permissionCallback: Stage = {
  name: "permission_callback",

  run(call, compiled, deps, proceed) {
    const { permissionCallback: callback } = compiled;
    if (callback === null) return undefined;
    const question = new PermissionQuestion(call, compiled, callback, deps, () => proceed(call, deps));
    call.question = question;
    question.ask();
    return waiting;
  },

  describe({ config: { permissionCallback: callback, hookTimeout } }) {
    return callback === null ? null : { summary: `${mfaText(callback)} decides`, details: { hookTimeout } };
  },

  inspect({ compiled, deps }) {
    const { permissionCallback: callback, hookTimeout, nodes: configured, runOn } = compiled.config;
    if (callback === null || compiled.permissionCallback === null) return null;
    const asked = `${mfaText(callback)} would be asked`;
    if (configured === "local" && runOn === "worker") {
      // A stream's callback is a call too. A callback that could not run has not denied.
      const { isRefused, summary, details } = placeIn(deps.pool("async"), compiled.permissionCallback);
      const facts = { hookTimeout, ...details };
      if (isRefused) return { summary: `${asked}: ${summary}`, details: facts, failure: unavailable };
    }
    return { summary: asked, details: { hookTimeout }, failure: null, isUnknown: true };
  },
};
