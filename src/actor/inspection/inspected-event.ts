import type { AnyEventObject } from "xstate";
import { plainData, type Redact } from "./plain-data.ts";

/**
 * The visible part of an event: its type, its subject, and its error. Arguments, inputs and results stay between the
 * actors.
 */
export function inspectedEvent(event: AnyEventObject, redact: Redact | undefined): AnyEventObject {
  return plainData("event", detailsOf(event, redact), redact) as AnyEventObject;
}

function detailsOf(event: AnyEventObject, redact: Redact | undefined): AnyEventObject {
  const { type } = event;
  if (type === "gen_server.call" || type === "gen_server.cast") return { type, name: event.name };
  if (type.startsWith("supervisor.")) return { type, id: event.spec?.id ?? event.child?.spec?.id ?? event.id };
  const error: unknown = event.error ?? event.failure ?? event.reason;
  const told = error instanceof Error ? { error } : {};
  const { actorId } = event;
  if (typeof actorId !== "string") return { type, ...told };
  // The type of the event that reports an actor's end contains the actor's id.
  const id = plainData("id", actorId, redact);
  return { type: type.endsWith(actorId) ? `${type.slice(0, -actorId.length)}${id}` : type, actorId: id, ...told };
}
