import { libraryError } from "../../core/errors.ts";

interface Running {
  readonly isObserved: boolean;
}

const running = new Map<string, Set<Running>>();

/**
 * Reserves a program's name while it runs. Metrics and traces distinguish the programs of a process by name, so a
 * program that has them cannot share its name.
 *
 * @returns a function that releases the name
 * @throws GenApiError `invalid_option` if another program has the name, and one of the two is observed
 */
export function takeName(name: string, isObserved: boolean): () => void {
  const others = running.get(name) ?? new Set<Running>();
  if (others.size > 0 && (isObserved || [...others].some((other) => other.isObserved))) {
    throw libraryError(
      "invalid_option",
      `name must be unique among the running programs of this process that have metrics or tracing, got "${name}"`,
    );
  }
  const program: Running = { isObserved };
  running.set(name, others.add(program));
  return () => {
    others.delete(program);
    if (others.size === 0) running.delete(name);
  };
}
