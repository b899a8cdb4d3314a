/** Reasons of an orderly end of a session: one side says that it stops, or closes its transport. */
export const farewells = {
  gateway: "the gateway closes its transport",
  node: "the node closes its transport",
  stops: "the node stops",
  left: "the node has left",
} as const;

/** Whether a session ended in good order, by the reason that either end gave. */
export function isFarewell(reason: string): boolean {
  return Object.values(farewells).some((farewell) => reason.endsWith(farewell));
}
