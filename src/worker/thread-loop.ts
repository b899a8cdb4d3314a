import type { RequestIdentity } from "../core/request-info.ts";
import { ThreadCalls } from "./thread-calls.ts";
import { ThreadFunctions } from "./thread-functions.ts";
import { ThreadMarks } from "./thread-marks.ts";
import { ThreadOutbox } from "./thread-outbox.ts";
import { answer, op, requestLength, type ThreadStart, viewCells } from "./thread-protocol.ts";
import { ThreadStreams } from "./thread-streams.ts";
import { internalData } from "./thrown-data.ts";
import type { CancelReason } from "./worker-call.ts";

/**
 * What a thread does: serve calls until it is told to stop. For Piscina it is one task that never ends by itself;
 * the calls come over a port of their own, because a Piscina task for each call costs ten times as much.
 */
export function threadLoop({ port, cells }: ThreadStart): Promise<void> {
  const marks = new ThreadMarks(viewCells(cells));
  const outbox = new ThreadOutbox(port);
  const functions = new ThreadFunctions(outbox);
  const calls = new ThreadCalls(outbox, marks);
  const streams = new ThreadStreams(outbox, marks);

  function obey(entries: unknown[], at: number): void {
    const slot = entries[at + 1] as number;
    switch (entries[at]) {
      case op.call:
      case op.stream:
      case op.load:
        begin(entries, at);
        break;
      case op.cancel:
        if (functions.cancel(slot)) break;
        calls.cancel(slot, entries[at + 2] as CancelReason);
        streams.stop(slot, entries[at + 2] as CancelReason);
        break;
      case op.grant:
        streams.grant(slot, entries[at + 2] as number);
        break;
      case op.define:
        functions.define(entries[at + 2] as number, entries[at + 4] as string, entries[at + 5] as string);
        break;
      case op.preload:
        functions.preload(entries[at + 2] as string);
        break;
      case op.ping:
        marks.pong(slot);
        break;
      case op.stop:
        calls.cancelAll("stopped");
        streams.stopAll("stopped");
        stop();
        break;
    }
  }

  function begin(entries: unknown[], at: number): void {
    const kind = entries[at];
    const slot = entries[at + 1] as number;
    const called = functions.get(entries[at + 2] as number);
    const maxBytes = entries[at + 3] as number;
    const identity = entries[at + 4] as RequestIdentity | null;
    const args = entries[at + 5] as readonly unknown[];
    if (kind === op.call && called.run !== null) calls.run(slot, called, called.run, maxBytes, identity, args);
    else if (kind === op.stream && called.run !== null) streams.start(slot, called.run, maxBytes, identity, args);
    else {
      void functions.load(slot, called, (run) => {
        if (kind === op.call) calls.run(slot, called, run, maxBytes, identity, args);
        else if (kind === op.stream) streams.start(slot, run, maxBytes, identity, args);
        else {
          outbox.put(answer.imported, 0, called.module);
          outbox.put(answer.result, slot, "null");
        }
        marks.rest();
      });
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
    marks.rest();
    outbox.flush();
  });
  outbox.put(answer.ready, 0, null);
  outbox.flush();
  return end;
}
