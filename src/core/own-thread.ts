import { isMainThread, workerData } from "node:worker_threads";

/** An attempt to start a gateway or service node on a thread that runs functions. */
export interface StartOnThread {
  /** The function that was called. */
  readonly called: string;
  /** File, line and column of the caller; null if unknown. */
  readonly where: string | null;
}

/** The starts on this thread: unreported ones, or the listener that receives them. */
interface Starts {
  readonly unheard: StartOnThread[];
  hear: ((start: StartOnThread) => void) | null;
}

// Global symbols and plain data, because the caller may have another copy of the package.
const threadKey = "gen-api.thread";
const startsKey = Symbol.for("gen-api.starts-on-thread");

/** The `workerData` of threads that run functions. It exists before any user code runs, including preloads. */
export const ownThreadData = { [threadKey]: true } as const;

/**
 * Whether this is a thread that runs functions, rather than the host's own thread or a worker that the host created.
 */
export function isOwnThread(): boolean {
  return !isMainThread && Object(workerData)[threadKey] === true;
}

/**
 * A file that defines functions and starts a program is also imported by the program's threads, where the call must
 * start nothing. There it never settles, so that the code after it does not run, and the importing thread gets a
 * report.
 *
 * @param start the called function, by which its caller is found
 */
export function neverOnThread(start: { readonly name: string }): Promise<never> {
  const starts = startsHere();
  const heard = { called: start.name, where: callerOf(start) };
  if (starts.hear === null) starts.unheard.push(heard);
  else starts.hear(heard);
  return new Promise(() => undefined);
}

/** Reports all starts on this thread to `hear`. */
export function hearStarts(hear: (start: StartOnThread) => void): void {
  const starts = startsHere();
  starts.hear = hear;
  for (const start of starts.unheard.splice(0)) hear(start);
}

function startsHere(): Starts {
  const here = globalThis as { [startsKey]?: Starts };
  here[startsKey] ??= { unheard: [], hear: null };
  return here[startsKey];
}

function callerOf(start: object): string | null {
  const trace: { stack?: unknown } = {};
  Error.captureStackTrace(trace, start as () => unknown);
  const [, frame = ""] = String(trace.stack).split("\n");
  return /([^\s()]+:\d+:\d+)\)?$/.exec(frame)?.[1] ?? null;
}
