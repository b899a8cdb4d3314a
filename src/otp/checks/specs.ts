import { type AutoShutdown, type ChildSpec, significanceFault } from "../../actor/supervisor/child-spec.ts";
import { libraryError } from "../../core/errors.ts";
import {
  anything,
  type Check,
  count,
  Fault,
  fields,
  flag,
  itemsOf,
  milliseconds,
  must,
  oneOf,
  optional,
  shutdownTime,
  text,
} from "./faults.ts";
import { sameNameFault } from "./names.ts";

const methods = ["transition", "getInitialSnapshot"] as const;

const logic: Check = must(
  "what fromGenServer, fromSupervisor, fromDynamicSupervisor, fromResource or an XState machine is",
  (value) =>
    methods.every(
      (method) => typeof (value as Readonly<Record<string, unknown>> | null | undefined)?.[method] === "function",
    ),
);

const isSpec = fields({
  id: must(
    "a non-empty string that is no whole number",
    (id) => typeof id === "string" && id !== "" && !/^(0|[1-9]\d*)$/.test(id),
  ),
  logic,
  input: anything,
  name: optional(text),
  restart: optional(oneOf("permanent", "transient", "temporary")),
  shutdown: optional(shutdownTime),
  significant: optional(flag),
  type: optional(oneOf("worker", "supervisor")),
});

/**
 * Checks one spec.
 * @returns a copy: what its host does to it later concerns no child that was started with it
 * @throws GenApiError `invalid_option` that names every wrong field
 */
export function checkSpec(what: string, spec: unknown): ChildSpec {
  const read = isSpec(spec);
  if (Fault.is(read)) refuse(what, spec, read.text);
  return read as ChildSpec;
}

/** Checks a supervisor's list of specs: each alone, that no two have the same id or name, and who may be significant. */
export function checkSpecs(
  what: string,
  { children, autoShutdown = "never" }: { readonly children: unknown; readonly autoShutdown?: AutoShutdown },
): readonly ChildSpec[] {
  const items = itemsOf(children);
  if (typeof items === "string") {
    throw libraryError("invalid_option", `${what}: children must be a list of child specs, got ${items}`);
  }
  const ids = new Set<string>();
  const specs = items.map((item) => {
    const spec = checkSpec(what, item);
    refuse(what, spec, significanceFault(spec, autoShutdown));
    if (ids.has(spec.id)) throw libraryError("invalid_option", `${what}: two children have the id "${spec.id}"`);
    ids.add(spec.id);
    return spec;
  });
  const fault = sameNameFault(specs);
  if (fault !== null) throw libraryError("invalid_option", `${what}: ${fault}`);
  return specs;
}

function refuse(what: string, spec: unknown, fault: string | null): void {
  if (fault !== null) throw libraryError("invalid_option", `${what}: the child spec${named(spec)}: ${fault}`);
}

function named(spec: unknown): string {
  try {
    const { id } = (spec ?? {}) as { id?: unknown };
    return typeof id === "string" ? ` "${id}"` : "";
  } catch {
    return "";
  }
}

/** The options of a supervisor; {@link checkSpecs} looks at its children. */
export const supervisorFields = {
  strategy: optional(oneOf("one_for_one", "one_for_all", "rest_for_one")),
  intensity: optional(fields({ maxRestarts: count(0), withinMs: milliseconds })),
  autoShutdown: optional(oneOf("never", "any_significant", "all_significant")),
  children: anything,
};
