import { builtIns } from "./built-ins.ts";

/**
 * Calls a user's function with its arguments, followed by `last` unless that is null. A spread would use the list's
 * iterator, which a module of the user's may have replaced.
 */
export function callWith(run: (...args: unknown[]) => unknown, args: readonly unknown[], last: unknown): unknown {
  if (last === null) return builtIns.apply(run, undefined, args);
  const all: unknown[] = [];
  for (let at = 0; at < args.length; at++) all[at] = args[at];
  all[args.length] = last;
  return builtIns.apply(run, undefined, all);
}
