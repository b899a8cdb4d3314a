import type { RequestIdentity } from "../core/request-info.ts";
import { ThreadCalls } from "./thread-calls.ts";
import { ThreadFunctions } from "./thread-functions.ts";
import { ThreadOutbox } from "./thread-outbox.ts";
import { answer, cell, op, requestLength, type ThreadStart, viewCells } from "./thread-protocol.ts";
import { internalData } from "./thrown-data.ts";
import type { CancelReason } from "./worker-call.ts";

/**
 * What a thread does: serve calls until it is told to stop. For Piscina it is one task that never ends by itself;
 * the calls come over a port of their own, because a Piscina task for each call costs ten times as much.
 */
export function threadLoop({ port, cells }: ThreadStart): Promise<void> {
  const shared = viewCells(cells);
  const outbox = new ThreadOutbox(port);
  const functions = new ThreadFunctions();
  const calls = new ThreadCalls(functions, outbox, shared);

  function obey(entries: unknown[], at: number): void {
    const slot = entries[at + 1] as number;
    switch (entries[at]) {
      case op.call:
        calls.run(
          slot,
          functions.get(entries[at + 2] as number),
          entries[at + 3] as number,
          entries[at + 4] as RequestIdentity | null,
          entries[at + 5] as unknown[],
        );
        break;
      case op.load:
        void calls.load(slot, functions.get(entries[at + 2] as number));
        break;
      case op.cancel:
        calls.cancel(slot, entries[at + 2] as CancelReason);
        break;
      case op.define:
        functions.define(entries[at + 2] as number, entries[at + 4] as string, entries[at + 5] as string);
        break;
      case op.ping:
        Atomics.store(shared.numbers, cell.pong, slot);
        break;
      case op.stop:
        calls.cancelAll("stopped");
        stop();
        break;
    }
  }

  function reportStray(thrown: unknown): void {
    outbox.put(answer.stray, 0, internalData(thrown));
    outbox.flush();
  }

  // Results already made must not be lost to a neighbour that calls process.exit().
  function flush(): void {
    outbox.flush();
  }

  // A message that cannot be read held calls nobody can name: the pool finds out who they were when the thread is gone.
  function giveUp(): void {
    process.exit(1);
  }

  function stop(): void {
    outbox.flush();
    port.close();
    process.off("unhandledRejection", reportStray).off("uncaughtException", reportStray).off("exit", flush);
    ended();
  }

  let ended: () => void;
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  process.on("unhandledRejection", reportStray).on("uncaughtException", reportStray).on("exit", flush);
  port.on("messageerror", giveUp);
  port.on("message", (entries: unknown[]) => {
    for (let at = 0; at < entries.length; at += requestLength) obey(entries, at);
    Atomics.store(shared.numbers, cell.current, -1);
    outbox.flush();
  });
  outbox.put(answer.ready, 0, null);
  outbox.flush();
  return end;
}
