import { builtIns } from "../../core/foreign/built-ins.ts";
import { settle } from "../../core/foreign/thenable.ts";
import { kindOfFunction } from "../../execution/function-kind.ts";
import { internalData } from "../../execution/thrown-data.ts";
import type { CancelReason } from "../../execution/worker-call.ts";
import { type IdentityList, readIdentity } from "./identity-list.ts";
import { ThreadCalls } from "./thread-calls.ts";
import { ThreadFunctions } from "./thread-functions.ts";
import { ThreadMarks } from "./thread-marks.ts";
import { ThreadNested } from "./thread-nested.ts";
import { ThreadOutbox } from "./thread-outbox.ts";
import { ThreadOutput } from "./thread-output.ts";
import { answer, op, requestLength, type ThreadStart, viewCells } from "./thread-protocol.ts";
import { type StreamLimits, ThreadStreams } from "./thread-streams.ts";

/**
 * The work of a thread: serve calls until it is told to stop. For Piscina it is one task that never ends by itself; the
 * calls come over a port of their own, because a Piscina task for each call costs ten times as much.
 */
export function threadLoop({ port, cells, maxOutputBytesPerSecond }: ThreadStart): Promise<void> {
  const views = viewCells(cells);
  const marks = new ThreadMarks(views);
  const outbox = new ThreadOutbox(port, views);
  /** Entries that begin work, kept while the outbox is full. */
  let kept: unknown[] = [];
  const functions = new ThreadFunctions(outbox, marks, reportStray);
  const nested = new ThreadNested(outbox);
  const calls = new ThreadCalls(outbox, marks, nested);
  const streams = new ThreadStreams(outbox, marks, nested);
  const outputs = [process.stdout, process.stderr].map(
    (stream, at) => new ThreadOutput(stream, maxOutputBytesPerSecond, (bytes) => reportDropped(at + 1, bytes)),
  );

  function obey(entries: unknown[], at: number): void {
    const slot = entries[at + 1] as number;
    switch (entries[at]) {
      case op.call:
      case op.stream:
      case op.load:
        if (kept.length > 0 || outbox.isFull) keep(entries, at);
        else begin(entries, at);
        break;
      case op.resume:
        outbox.resume();
        break;
      case op.cancel:
        calls.cancel(slot, entries[at + 2] as CancelReason);
        streams.stop(slot, entries[at + 2] as CancelReason);
        break;
      case op.grant:
        streams.grant(slot, entries[at + 2] as number);
        break;
      case op.acknowledge:
        streams.acknowledge(slot, entries[at + 2] as number);
        break;
      case op.respond:
        nested.responded(slot, entries[at + 2] as string | null, entries[at + 3] as boolean);
        break;
      case op.define:
        functions.define(slot, {
          module: entries[at + 2] as string,
          moduleName: entries[at + 3] as string,
          function: entries[at + 4] as string,
          ofService: entries[at + 5] as boolean,
        });
        break;
      case op.preload:
        functions.preload(entries[at + 2] as string);
        break;
      case op.ping:
        marks.pong(slot);
        outbox.put(answer.turned, 0, null);
        break;
      case op.verify:
        settle(functions.verify(slot), () => undefined, reportStray);
        break;
      case op.withdraw:
        functions.withdraw(slot);
        break;
      case op.stop:
        calls.cancelAll("stopped");
        streams.stopAll("stopped");
        stop();
        break;
    }
  }

  function keep(entries: unknown[], at: number): void {
    for (let place = at; place < at + requestLength; place++) kept[kept.length] = entries[place];
  }

  /** Sends what can be sent, and begins kept entries as long as the outbox has room for the results. */
  function goOn(): void {
    outbox.flush();
    while (kept.length > 0 && !outbox.isFull) {
      const entries = kept;
      kept = [];
      obeyAll(entries);
      outbox.flush();
    }
  }

  function obeyAll(entries: unknown[]): void {
    for (let at = 0; at < entries.length; at += requestLength) {
      try {
        obey(entries, at);
      } catch (thrown) {
        failed(entries, at, thrown);
      }
    }
    marks.rest();
  }

  function begin(entries: unknown[], at: number): void {
    const kind = entries[at];
    const slot = entries[at + 1] as number;
    const called = functions.get(entries[at + 2] as number);
    const maxBytes = entries[at + 3] as number;
    const limits = entries[at + 3] as StreamLimits;
    const listed = entries[at + 4] as IdentityList | null;
    const identity = listed === null ? null : readIdentity(listed);
    const args = entries[at + 5] as readonly unknown[];
    if (kind === op.call && called.run !== null) calls.run(slot, called, called.run, maxBytes, identity, args);
    else if (kind === op.stream && called.run !== null) streams.start(slot, called.run, limits, identity, args);
    else {
      const load = functions.load(slot, called, (run) => {
        if (kept.length > 0 || outbox.isFull) {
          keep(entries, at);
          builtIns.setImmediate(goOn);
        } else if (kind === op.call) calls.run(slot, called, run, maxBytes, identity, args);
        else if (kind === op.stream) streams.start(slot, run, limits, identity, args);
        else {
          outbox.put(marks.begin(slot) ? answer.result : answer.withdrawn, slot, kindOfFunction(run));
        }
        marks.rest();
      });
      const broke = (thrown: unknown): void => {
        failed(entries, at, thrown);
        outbox.flushLater();
      };
      settle(load, () => undefined, broke);
    }
  }

  /** An error that no call or stream answered: it must not cost the other entries their answers. */
  function failed(entries: unknown[], at: number, thrown: unknown): void {
    const kind = entries[at];
    if (kind === op.call || kind === op.stream || kind === op.load) {
      outbox.put(answer.failure, entries[at + 1] as number, internalData(thrown));
    } else {
      reportStray(thrown);
    }
  }

  function reportStray(thrown: unknown): void {
    outbox.put(answer.stray, 0, internalData(thrown));
    outbox.flush();
  }

  function reportDropped(fd: number, bytes: number): void {
    outbox.put(answer.outputDropped, fd, bytes);
    outbox.flush();
  }

  // Finished results must not be lost to a neighbour that calls process.exit().
  function flush(): void {
    for (let at = 0; at < outputs.length; at++) outputs[at]?.reportDropped();
    outbox.flushAll();
  }

  // The calls in an unreadable message are unknown: the pool identifies them when the thread is gone.
  function giveUp(): void {
    process.exit(1);
  }

  function stop(): void {
    flush();
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
    obeyAll(entries);
    goOn();
  });
  outbox.put(answer.ready, 0, null);
  outbox.flush();
  return end;
}
