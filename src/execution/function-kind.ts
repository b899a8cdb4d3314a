import { types } from "node:util";
import { builtIns } from "../core/foreign/built-ins.ts";

/**
 * The kind of a user's function, as far as visible without calling it. A function that wraps a generator is a
 * `"function"`.
 */
export type FunctionKind = "function" | "generator" | "class";

const { toString: sourceOf } = Function.prototype;
const isClassSource = RegExp.prototype.test.bind(/^class[\s{/]/);

/** The kind of a function. Never throws. */
export function kindOfFunction(run: unknown): FunctionKind {
  if (types.isGeneratorFunction(run)) return "generator";
  return isClassSource(builtIns.apply(sourceOf, run as () => void, [])) ? "class" : "function";
}

/**
 * Why a function of this kind cannot answer in this way; null if it can.
 * @param responseType null for a hook, a permission callback and the like
 */
export function kindFault(kind: FunctionKind, responseType: string | null): string | null {
  if (kind === "class") return "must be a function, got a class, which only `new` can call";
  if (kind === "function" || responseType === "stream") return null;
  if (responseType === null) return "must return one value, got a generator";
  return `is a generator, whose responseType must be "stream", got ${JSON.stringify(responseType)}`;
}
