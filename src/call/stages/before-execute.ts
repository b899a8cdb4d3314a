import { isDeepStrictEqual } from "node:util";
import type { FunConfig } from "../../config/fun-config.ts";
import { isGenApiError } from "../../core/errors.ts";
import { isMap } from "../../core/is-map.ts";
import { runBeforeHook } from "../../policy/hooks.ts";
import type { Call } from "../call.ts";
import type { CompiledFunction } from "../functions/compile-function.ts";
import { acceptHookRequest, type HookRequest, hookRequestOf } from "../hook-request.ts";
import type { PipelineDeps } from "../pipeline-deps.ts";
import { internal } from "../request/failure.ts";
import { type Stage, waiting } from "./stage.ts";
import { mfaText } from "./words.ts";

/** The FunConfig's hook may refuse the request, change its arguments, or change how it is executed. */
export const beforeExecute: Stage = {
  name: "before_execute",

  run(call, compiled, deps, proceed) {
    const hook = compiled.beforeExecute;
    if (hook === null) return undefined;
    const shown = hookRequestOf(call.request, call.caller, compiled);
    const accept = {
      request: (value: unknown) => acceptHookRequest(shown, value),
      funConfig: (value: unknown) => (isMap(value) ? (value as FunConfig) : null),
    };
    const context = { clock: deps.clock, identify: () => call.identify() };
    const outcome = runBeforeHook<HookRequest, FunConfig>(hook, shown, compiled.config, accept, context);
    if (!(outcome instanceof Promise) && isGenApiError(outcome)) return outcome;
    if (!(outcome instanceof Promise) && outcome.funConfig === compiled.config) {
      takeArgs(call, outcome.request);
      return undefined;
    }
    void Promise.resolve(outcome)
      .then(async (settled) => {
        if (isGenApiError(settled)) return settled;
        takeArgs(call, settled.request);
        if (settled.funConfig !== compiled.config) {
          call.compiled = await recompile(settled.funConfig, compiled, deps);
        }
        return undefined;
      })
      .then(
        (refused) => (refused === undefined ? proceed(call, deps) : call.fail(refused)),
        (thrown) => call.fail(internal(thrown)),
      );
    return waiting;
  },

  describe({ config: { beforeExecute: hook, hookTimeout } }) {
    if (hook === null) return null;
    return { summary: `${mfaText(hook)} may change or refuse it`, details: { hookTimeout } };
  },

  inspect({ compiled: { config } }) {
    const { beforeExecute: hook, hookTimeout } = config;
    if (hook === null) return null;
    const summary = `${mfaText(hook)} would be asked; what follows is for the request as it is`;
    return { summary, details: { hookTimeout }, failure: null, isUnknown: true };
  },
};

/** A hook may also change the request object it received. The arguments stay unless it replaced them by a map. */
function takeArgs(call: Call, { args }: HookRequest): void {
  if (isMap(args)) call.request = { ...call.request, args };
}

/** A hook changes how a function is executed, not its name or its hooks. */
async function recompile(changed: FunConfig, compiled: CompiledFunction, deps: PipelineDeps) {
  const { service, requestType, version, nodes, nodesTtlMs, beforeExecute, afterExecute } = compiled.config;
  const config = { ...changed, service, requestType, version, beforeExecute, afterExecute };
  const recompiled = await deps.compile(config);
  const isElsewhere = !isDeepStrictEqual([changed.nodes, changed.nodesTtlMs], [nodes, nodesTtlMs]);
  // The resolver's last answer still holds.
  return isElsewhere ? recompiled : { ...recompiled, nodes: compiled.nodes };
}
