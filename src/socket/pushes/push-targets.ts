import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/shown.ts";
import type { Assigns } from "../handshake/assigns.ts";

/** The sockets of one client: those to which `connect` gave this `id`, or this `userId`. */
export type PushTarget = { readonly id: string } | { readonly userId: string };

/**
 * Checks a target, and copies it.
 * @param called the method and argument, for messages
 * @throws GenApiError `invalid_option`
 */
export function readTarget(called: string, target: unknown): PushTarget {
  const { id, userId } = (typeof target === "object" && target !== null ? target : {}) as Record<string, unknown>;
  if (isName(id) && userId === undefined) return { id };
  if (isName(userId) && id === undefined) return { userId };
  const got = id === undefined && userId === undefined ? shown(target) : `id ${shown(id)} and userId ${shown(userId)}`;
  throw libraryError("invalid_option", `${called} must be {id} or {userId} with a text, got ${got}`);
}

const isName = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Whether a connection is one of a target's. */
export function isOf(target: PushTarget, { id, userId }: Assigns): boolean {
  return "id" in target ? target.id === id : target.userId === userId;
}
