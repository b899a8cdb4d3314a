import { shown } from "../../core/faults.ts";
import type { Call } from "../call.ts";
import { type Failure, invalidRequest, unavailable } from "../request/failure.ts";
import { reportRejection } from "./rejection.ts";
import { type Stage, waiting } from "./stage.ts";

/** Whether it repeats a request: the call of its idempotency key belongs to another one. */
export function isRepeat(call: Call): boolean {
  return call.keyed !== null && (call.owner !== null || !call.keyed.isOf(call));
}

/**
 * Finds the call of a request's idempotency key, before a hook changes its arguments. Neither this stage nor
 * {@link answerRepeat} is configured: most requests have no key.
 */
export const claimKey: Stage = {
  name: "idempotency_key",

  run(call, { config: { responseType } }, deps) {
    const { idempotencyKey, resume } = call.request;
    if (idempotencyKey === null) return undefined;
    if (responseType === "stream" && !resume) return invalidRequest("a stream with an idempotency_key requires resume");
    const keyed = deps.keyedCalls.claim(call, call.request, idempotencyKey, call.caller);
    if ("code" in keyed) return keyed;
    call.keyed = keyed;
    return undefined;
  },

  describe: () => null,
  inspect: () => null,
};

/** Asks who has a key among all gateways, before this one executes its call. Connections of no user have keys of their own. */
export const claimAcross: Stage = {
  name: "owner",

  run(call, _compiled, deps, proceed) {
    const { keyed, caller } = call;
    if (keyed === null || deps.across === null || caller.userId === null || !keyed.isOf(call)) return undefined;
    deps.across
      .claim(keyed)
      .then((owner) => {
        if (call.isAnswered) return;
        call.owner = owner;
        proceed(call, deps);
      })
      .catch((thrown) => call.fail({ ...unavailable, cause: thrown }));
    return waiting;
  },

  describe: () => null,
  inspect: () => null,
};

/** Lets a repeated request, which is permitted too, wait for the call of its key, or answers it with what was kept. */
export const answerRepeat: Stage = {
  name: "repeat",

  run(call, { config: { responseType } }, deps, proceed) {
    if (call.keyed === null || !isRepeat(call)) return undefined;
    const refused = responseType === "stream" ? refusedStream(call, deps.gateway) : undefined;
    if (refused !== undefined) return refused;
    // Counted and placed as a request of its own, as it is to be executed.
    const begin = () => {
      call.owner = null;
      call.asking = null;
      proceed(call, deps, "rate_limits");
    };
    const { owner } = call;
    if (owner !== null && deps.across !== null) {
      call.asking = deps.across.ask(call, call.keyed, owner, begin);
      return waiting;
    }
    const claim = () => proceed(call, deps, "owner");
    if (call.keyed.isVacant) call.keyed = deps.keyedCalls.claimAgain(call, call.keyed);
    if (call.keyed.isOf(call)) claim();
    else if (call.keyed.isSettled) call.replay(call.keyed);
    else call.keyed.join(call, claim);
    return waiting;
  },

  describe: () => null,
  inspect: () => null,
};

/** Why a stream cannot move to a request's channel. */
function refusedStream({ caller, requestId, keyed }: Call, gateway: string): Failure | undefined {
  const { calls } = caller;
  if (calls.hasStream(requestId) && !keyed?.isStreamOn(calls, requestId)) {
    return invalidRequest(`A stream with request_id ${shown(requestId)} is live on this channel`);
  }
  if (!calls.inFlight?.isFullOfStreams) return undefined;
  reportRejection(caller, "too_many_streams", gateway);
  return unavailable;
}
