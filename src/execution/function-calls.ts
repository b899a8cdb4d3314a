import { GenApiError, isErrorCode, libraryError, messageOf, toError } from "../core/errors.ts";
import { unavailableError } from "../core/failures.ts";
import { shown } from "../core/faults.ts";
import { hasAborted, isAbortSignal, listen, stopListening } from "../core/foreign/abort-signal.ts";
import { builtIns } from "../core/foreign/built-ins.ts";
import { hearPromise, hearPromises } from "../core/foreign/hear-promises.ts";
import type { NestedCallOptions } from "../core/request-info.ts";
import {
  type CallCarrier,
  maxNestedCalls,
  maxNestedStreams,
  type NestedListener,
  type NestedRequest,
  type RunningNested,
} from "./call-carrier.ts";
import { ChunkStream } from "./chunk-stream.ts";
import { jsonWithin } from "./json-within.ts";

// They are made, sent and read at once.
const maxArgsBytes = 16 * 1_024 * 1_024;

/** What a function asks for, its fields read exactly once. */
interface Asked {
  readonly request: NestedRequest;
  readonly signal: AbortSignal | null;
}

/** A call or stream that has not ended. */
interface Open {
  /** The function that made it is over. */
  abandon(): void;
}

/** The parts of a gateway's Response that matter here. */
interface Answer {
  readonly success: boolean;
  readonly result: unknown;
  readonly error: string | null;
  readonly async: boolean;
  readonly can_retry: boolean;
  readonly error_code?: string;
  readonly reason?: string;
  readonly retry_after_ms?: number;
}

/**
 * The calls that one running function makes of others: `call` and `callStream` of its RequestInfo. They end with it.
 * Runs on any thread.
 */
export class FunctionCalls {
  readonly #carrier: Partial<CallCarrier>;
  /** Those that have not ended. A Map, whose iteration user code cannot replace. */
  readonly #open = new Map<Open, Open>();
  /** Calls that wait until others have ended. */
  readonly #waiting: PendingCall[] = [];
  #calls = 0;
  #streams = 0;
  #isOver = false;

  /** @param carrier carries nothing where there is no gateway to call */
  constructor(carrier: Partial<CallCarrier>) {
    this.#carrier = carrier;
  }

  call(service: string, requestType: string, args: unknown, options: unknown): Promise<unknown> {
    try {
      const { request, signal } = read(service, requestType, args, options, false);
      if (this.#isOver || (signal !== null && hasAborted(signal))) throw cancelled();
      const call = new PendingCall(request, signal, (ended) => this.#callEnded(ended));
      this.#open.set(call, call);
      if (this.#calls < maxNestedCalls) this.#begin(call);
      else this.#waiting.push(call);
      return call.promise;
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  callStream(service: string, requestType: string, args: unknown, options: unknown): NestedStream {
    return new NestedStream({
      start: (stream) => {
        const { request, signal } = read(service, requestType, args, options, true);
        if (this.#isOver || (signal !== null && hasAborted(signal))) throw cancelled();
        if (this.#streams >= maxNestedStreams) {
          throw unavailableError(new Error(`A function takes at most ${maxNestedStreams} streams at a time`));
        }
        this.#streams++;
        this.#open.set(stream, stream);
        stream.listenTo(signal);
        return carry(this.#carrier, request, stream);
      },
      end: (stream) => {
        if (this.#open.delete(stream)) this.#streams--;
      },
    });
  }

  /** The function is over: what it still waits for is not wanted. */
  end(): void {
    this.#isOver = true;
    this.#waiting.length = 0;
    builtIns.apply(builtIns.forEachOfMap, this.#open, [(open: Open) => open.abandon()]);
    this.#open.clear();
  }

  #begin(call: PendingCall): void {
    this.#calls++;
    call.begin(this.#carrier);
  }

  #callEnded(call: PendingCall): void {
    if (!this.#open.delete(call)) return;
    if (!call.hasBegun) {
      const at = this.#waiting.indexOf(call);
      if (at !== -1) this.#waiting.splice(at, 1);
      return;
    }
    this.#calls--;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#begin(next);
  }
}

/** A call whose promise has not settled. */
class PendingCall implements NestedListener, Open {
  readonly promise: Promise<unknown>;
  #resolve!: (result: unknown) => void;
  #reject!: (error: Error) => void;
  readonly #request: NestedRequest;
  readonly #signal: AbortSignal | null;
  readonly #onEnded: (call: PendingCall) => void;
  readonly #abort = (): void => {
    this.#running?.cancel();
    this.#end();
    this.#reject(cancelled());
  };
  #running: RunningNested | null = null;
  hasBegun = false;
  #hasEnded = false;

  constructor(request: NestedRequest, signal: AbortSignal | null, onEnded: (call: PendingCall) => void) {
    this.#request = request;
    this.#signal = signal;
    this.#onEnded = onEnded;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal !== null) listen(signal, this.#abort);
  }

  begin(carrier: Partial<CallCarrier>): void {
    this.hasBegun = true;
    try {
      this.#running = carry(carrier, this.#request, this);
    } catch (thrown) {
      this.#end();
      this.#reject(toError(thrown));
    }
  }

  onResponse(response: string, isLast: boolean): void {
    if (!isLast || this.#hasEnded) return;
    this.#end();
    const answer = builtIns.parse(response) as Answer;
    if (answer.success) this.#resolve(answer.result);
    else this.#reject(errorIn(answer));
  }

  abandon(): void {
    // A function that is over need not hear it.
    hearPromise(this.promise);
    this.#end();
    this.#reject(cancelled());
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#signal !== null) stopListening(this.#signal, this.#abort);
    this.#onEnded(this);
  }
}

/** Begins and ends a {@link NestedStream}. */
interface NestedStreamCall {
  start(stream: NestedStream): RunningNested;
  end(stream: NestedStream): void;
}

/** The chunks of another function's stream. */
class NestedStream extends ChunkStream<unknown> implements NestedListener, Open {
  readonly #call: NestedStreamCall;
  #running: RunningNested | null = null;
  #signal: AbortSignal | null = null;
  readonly #abort = (): void => this.end({ error: cancelled() });
  /** Chunks that were taken and not granted. */
  #taken = 0;
  #hasLast = false;

  constructor(call: NestedStreamCall) {
    super();
    this.#call = call;
  }

  listenTo(signal: AbortSignal | null): void {
    this.#signal = signal;
    if (signal !== null) listen(signal, this.#abort);
  }

  onResponse(response: string, isLast: boolean): void {
    this.#hasLast ||= isLast;
    if (this.hasEnded) return;
    const answer = builtIns.parse(response) as Answer;
    if (!answer.success) this.end({ error: errorIn(answer) });
    else {
      // The end of a stream has no chunk unless its function sent a last one.
      if (!isLast || !answer.async || answer.result !== null) this.add(answer.result);
      if (isLast) this.end(null);
    }
  }

  abandon(): void {
    this.end({ error: cancelled() });
  }

  protected begin(): void {
    this.#running = this.#call.start(this);
    this.#grant();
  }

  protected onTaken(): void {
    this.#taken++;
    this.#grant();
  }

  protected onEnded(): void {
    if (this.#signal !== null) stopListening(this.#signal, this.#abort);
    if (!this.#hasLast) this.#running?.cancel();
    this.#call.end(this);
  }

  #grant(): void {
    if (this.#running === null || this.#taken === 0 || !this.isEmpty || this.#hasLast) return;
    const taken = this.#taken;
    this.#taken = 0;
    this.#running.grant(taken);
  }
}

/** @throws GenApiError `unavailable` */
function carry(carrier: Partial<CallCarrier>, request: NestedRequest, listener: NestedListener): RunningNested {
  if (carrier.carry !== undefined) return carrier.carry(request, listener);
  throw unavailableError(new Error("There is no gateway to call"));
}

function cancelled(): GenApiError {
  return libraryError("cancelled", "The call was cancelled, or its function is over", { canRetry: true });
}

/** The error that a client would get. */
function errorIn({ error_code, error, reason, can_retry, retry_after_ms }: Answer): GenApiError {
  const code = isErrorCode(error_code) ? error_code : "internal";
  return new GenApiError(reason ?? code, error ?? "", {
    code,
    canRetry: can_retry,
    ...(retry_after_ms === undefined ? {} : { retryAfterMs: retry_after_ms }),
  });
}

/** @throws GenApiError `invalid_request` that names what is wrong */
function read(service: unknown, requestType: unknown, args: unknown, options: unknown, isStream: boolean): Asked {
  // An `await` that was forgotten: what JSON makes of a promise does not hear its rejection.
  hearPromises(service);
  hearPromises(requestType);
  hearPromises(args);
  hearPromises(options);
  const { version = null, timeoutMs = null, signal = null } = (options ?? {}) as NestedCallOptions;
  if (typeof service !== "string" || service === "") throw wrong("service", "a non-empty string", service);
  if (typeof requestType !== "string" || requestType === "")
    throw wrong("requestType", "a non-empty string", requestType);
  if (version !== null && typeof version !== "string") throw wrong("version", "a semantic version or null", version);
  if (timeoutMs !== null && !(typeof timeoutMs === "number" && timeoutMs >= 1)) {
    throw wrong("timeoutMs", "a number of milliseconds, at least 1, or null", timeoutMs);
  }
  if (signal !== null && !isAbortSignal(signal)) throw wrong("signal", "an AbortSignal or null", signal);
  return { request: { service, requestType, args: textOf(args), version, timeoutMs, isStream }, signal };
}

function textOf(args: unknown): string {
  if (args === undefined || args === null) return "{}";
  let text: string | undefined;
  try {
    text = jsonWithin(made(args), maxArgsBytes, "value of args");
  } catch (thrown) {
    throw libraryError("invalid_request", `Invalid request: args cannot be JSON: ${messageOf(toError(thrown))}`);
  }
  if (text === undefined) throw wrong("args", "a map or null", args);
  return text;
}

/** The object that JSON is made of: what a `toJSON` of the arguments returns may hold promises of its own. */
function made(args: unknown): unknown {
  const { toJSON } = args as { toJSON?: unknown };
  if (typeof toJSON !== "function") return args;
  const returned: unknown = builtIns.apply(toJSON, args, [""]);
  hearPromises(returned);
  return returned;
}

function wrong(name: string, allowed: string, came: unknown): GenApiError {
  return libraryError("invalid_request", `Invalid request: ${name} must be ${allowed}, got ${shown(came)}`);
}
