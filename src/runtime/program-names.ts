import { libraryError } from "../core/errors.ts";

interface Running {
  readonly isObserved: boolean;
}

const running = new Map<string, Set<Running>>();

/**
 * Takes a program's name for as long as it runs. Metrics and traces tell the programs of a process apart by their names:
 * one that has them cannot share its name.
 *
 * @returns how to give the name back
 * @throws GenApiError `invalid_option` where the name is another's, and one of the two is observed
 */
export function takeName(name: string, isObserved: boolean): () => void {
  const others = running.get(name) ?? new Set<Running>();
  if (others.size > 0 && (isObserved || [...others].some((other) => other.isObserved))) {
    throw libraryError(
      "invalid_option",
      `name must be no other running program's of this process where metrics or tracing tell them apart by it, got "${name}"`,
    );
  }
  const program: Running = { isObserved };
  running.set(name, others.add(program));
  return () => {
    others.delete(program);
    if (others.size === 0) running.delete(name);
  };
}
