import type { Clock } from "../core/time/clock.ts";
import { atMost } from "../core/time/within.ts";
import type { Connection } from "./connection.ts";
import type { DrainOptions } from "./drain-options.ts";

/**
 * The time from the notice that the gateway drains to a socket's close, milliseconds. Requests that were in transit
 * when the client got the notice arrive meanwhile and are answered; after the Close frame they could not be.
 */
export const noticeMs = 300;

// After this many sockets other work gets a turn. A close costs the event loop some ten times as much as a notice.
const noticesPerTurn = 500;
const closesPerTurn = 50;

/**
 * When each batch of sockets is closed, milliseconds after all were notified. In a batch that is due, a socket with
 * calls is closed later, when its last call ends.
 *
 * @param sockets the number of sockets
 * @param drainMs when the last batch is due; no batch is due before {@link noticeMs}
 */
export function closingTimes(
  sockets: number,
  { batchSize, intervalMs }: Required<DrainOptions>,
  drainMs: number,
): number[] {
  const batches = Math.ceil(sockets / batchSize);
  const spreadMs = Math.max(0, drainMs - noticeMs);
  const stepMs = batches > 1 ? Math.min(intervalMs, spreadMs / (batches - 1)) : 0;
  return Array.from({ length: batches }, (_, batch) => noticeMs + batch * stepMs);
}

/**
 * Empties a gateway of its sockets: notifies each at once, and closes it when its batch is due and its last call has
 * ended. Resolves when all are closing or gone; a call without an end delays only its own socket.
 *
 * @param drainMs the time over which the closes are spread
 */
export async function drainSockets(
  connections: readonly Connection[],
  options: Required<DrainOptions>,
  drainMs: number,
  clock: Clock,
): Promise<void> {
  const closing: Promise<void>[] = [];
  await inTurns(connections, noticesPerTurn, clock, (connection) => closing.push(connection.drain()));
  const notifiedAt = clock.now();
  const allClosing = Promise.all(closing);
  for (const [batch, time] of closingTimes(connections.length, options, drainMs).entries()) {
    await atMost(Math.max(0, notifiedAt + time - clock.now()), allClosing, clock);
    const due = connections.slice(batch * options.batchSize, (batch + 1) * options.batchSize);
    await inTurns(due, closesPerTurn, clock, (connection) => connection.closeWhenIdle());
  }
  await allClosing;
}

async function inTurns(
  connections: readonly Connection[],
  perTurn: number,
  clock: Clock,
  run: (connection: Connection) => void,
): Promise<void> {
  for (const [index, connection] of connections.entries()) {
    // A timer, because the closes themselves use timers: those of one turn run in one turn.
    if (index > 0 && index % perTurn === 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, 1));
    run(connection);
  }
}
