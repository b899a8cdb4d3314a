import type { AnyActorRef } from "xstate";
import type { Requests } from "../../actor/gen-server/gen-server.ts";
import { isAlive } from "../../actor/lifecycle/exit.ts";
import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/shown.ts";
import { actor, isActor } from "./actors.ts";

/** What a server is asked, or told. */
type Kind = keyof Requests;

/**
 * Refuses to ask `ref` what it cannot answer: what is no server would never reply, and a server without such a handler
 * would crash.
 *
 * @throws GenApiError `invalid_request` for what is no server; `not_found` for a name that it has no handler for
 */
export function mustServe(kind: Kind, given: unknown, name: string): AnyActorRef {
  // The text is made where it is needed: a call takes less time than it.
  const ref = isActor(given) ? given : actor(`${kind} ${shown(name)}`, given);
  const { logic } = ref as unknown as {
    readonly logic?: { readonly requests?: Requests; readonly behaviour?: string };
  };
  const names = logic?.requests?.[kind];
  if (names?.has(name) === true) return ref;
  if (names !== undefined) {
    const known = Array.from(names.keys(), (each) => JSON.stringify(each)).join(", ") || "none";
    throw libraryError(
      "not_found",
      `${kind} ${shown(name)}: the server "${ref.id}" has no handler of that name; it has ${known}`,
    );
  }
  const { behaviour } = logic ?? {};
  const what = behaviour === undefined ? "an actor of XState's" : `a ${behaviour.replace("_", " ")}`;
  const takesEvents = behaviour === undefined || behaviour === "resource";
  throw libraryError(
    "invalid_request",
    `${kind} ${shown(name)} takes the reference of a server, which fromGenServer makes, got that of "${ref.id}", ${what}` +
      (takesEvents ? ": send it an event" : ""),
  );
}

/** As {@link mustServe}; undefined for a server that has ended, of which XState would warn. */
export function livingServer(kind: Kind, given: unknown, name: string): AnyActorRef | undefined {
  const ref = mustServe(kind, given, name);
  return isAlive(ref) ? ref : undefined;
}
