import type { AnyActorRef } from "xstate";
import { libraryError } from "../../core/errors.ts";
import { isAlive } from "../lifecycle/exit.ts";
import { contextOf } from "../lifecycle/system-context.ts";

/**
 * Gives `owner`, in its init, the table `name`: its predecessor's if that survived, otherwise a new one. The system is
 * every table's heir, as in ETS with the option `heir`: a table outlives its owner's crash and is freed when the system
 * ends. Only its owner changes it; others may read it directly.
 *
 * Names are for tables of lasting actors: a table per connection would never be freed.
 *
 * @throws GenApiError `already_started` while another living actor owns the table
 */
export function claimTable<Table>(owner: AnyActorRef, name: string, create: () => Table): Table {
  const { tables } = contextOf(owner);
  const table = tables.get(name);
  if (table === undefined) {
    const value = create();
    tables.set(name, { owner, value });
    return value;
  }
  if (table.owner !== owner && isAlive(table.owner)) {
    throw libraryError("already_started", `The table "${name}" is owned by the living actor "${table.owner.id}"`);
  }
  table.owner = owner;
  return table.value as Table;
}
