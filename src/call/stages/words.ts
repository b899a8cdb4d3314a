import type { Mfa } from "../../config/fun-config.ts";
import type { RegisteredBy } from "../../config/function-table.ts";
import type { PermissionMode } from "../../policy/permission.ts";
import { type ScopedRateLimit, scopeName } from "../../policy/rate-limiter/rate-limit.ts";
import type { ChooseNodeMode } from "../../policy/selection/select-node.ts";
import type { CompiledFunction } from "../functions/compile-function.ts";

/** A function's name, and the number of its fixed arguments; not their values, which may be secret. */
export function mfaText({ module, function: name, args }: Mfa): string {
  return args.length === 0 ? `${module}.${name}` : `${module}.${name} (after ${counted(args.length, "argument")})`;
}

/** The clients that a mode permits, in words. */
export function permissionText(mode: PermissionMode): string {
  if (mode === false) return "everybody";
  if (mode === "any_authenticated") return "everybody with a user id";
  if ("role" in mode) return `who has one of the roles ${mode.role.join(", ")}`;
  if ("in" in mode) return `who has the claim ${mode.claim} as one of ${mode.in.join(", ")}`;
  if ("claim" in mode) return `whose claim ${mode.claim} the argument ${mode.arg} repeats`;
  return `the user that the argument ${mode.arg} names`;
}

/** A limit in words: `2000 in 60 s by userId (global)`. */
export function limitText({ scope, key, maxRequests, windowMs }: ScopedRateLimit): string {
  return `${maxRequests} in ${timeText(windowMs)} by ${key} (${scopeName(scope)})`;
}

/** How a node is chosen, in words. */
export function modeText(mode: ChooseNodeMode): string {
  if (typeof mode === "string") return mode;
  return "hash" in mode ? `hash of ${mode.hash}` : `sticky by ${mode.sticky}`;
}

/** Where a function runs on this gateway itself. */
export function placeOf({ config }: Pick<CompiledFunction, "config">): string {
  if (config.runOn === "main") return "the gateway's own thread";
  return config.responseType === "stream" ? "a thread of stream_pool" : "a thread of async_pool";
}

/** Who registered a function, in words. */
export function originText(origin: RegisteredBy): string {
  return origin === "host" ? "registered by the host" : `${origin} from nodes`;
}

/** Milliseconds for people: `250 ms`, `1.5 s`. */
export function timeText(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
}

/** `1 node`, `2 nodes`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
