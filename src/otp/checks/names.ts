import type { ChildSpec } from "../../actor/supervisor/child-spec.ts";

/** A name of a child, and the child's id. */
interface NamedChild {
  readonly name: string;
  readonly id: string;
}

/** The names of these children, and of those below them that are known before they start. */
export function* namesIn(specs: readonly ChildSpec[]): Generator<NamedChild> {
  for (const { id, name, logic } of specs) {
    if (name !== undefined) yield { name, id };
    // A dynamic supervisor has none yet.
    if ("isSupervisor" in logic) yield* namesIn((logic as unknown as WithChildren).config.children ?? []);
  }
}

interface WithChildren {
  readonly config: { readonly children?: readonly ChildSpec[] };
}

/** What is wrong where two of these children have one name, null where none do. */
export function sameNameFault(specs: readonly ChildSpec[]): string | null {
  const ids = new Map<string, string>();
  for (const { name, id } of namesIn(specs)) {
    const other = ids.get(name);
    if (other !== undefined) return `names must be unique, got "${name}" for two children, "${other}" and "${id}"`;
    ids.set(name, id);
  }
  return null;
}
