import type { Response } from "../call/request/response.ts";
import { type CallTarget, keyOf, requestPayload } from "./call-target.ts";
import { cancelled, watchEnding } from "./ending.ts";
import { errorOfResponse, GenApiError } from "./gen-api-error.ts";
import type { CallOptions } from "./options.ts";
import type { Frame, Requester, Requests } from "./requests.ts";

interface Waiting {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: GenApiError): void;
}

const defaultWindow = 32;

// A gateway ends the stream of whoever acknowledges nothing for a minute: a slow loop says that it is still there.
const aliveMs = 20_000;

/**
 * A stream as its caller's loop sees it: its chunks, in order, then its end or its failure. Its gateway sends no more than a
 * window of chunks that the loop has not taken; and keeps those that got lost with a socket, to send them over the next.
 * (One that knows neither numbers no chunks, and gives no token.)
 */
export class ServiceStream implements Requester, AsyncIterableIterator<unknown, undefined> {
  readonly #requests: Requests;
  readonly #target: CallTarget;
  readonly #options: CallOptions;
  readonly #unwatch: () => void;
  #id = "";
  /** What has come and nobody has taken; before `#taken` it has been. */
  #chunks: unknown[] = [];
  #taken = 0;
  /** Whoever has asked for chunks that have not come. */
  #waiting: Waiting[] = [];
  /** How many chunks the loop has got, and how many of them it had done with when it asked for the next. */
  #given = 0;
  #consumed = 0;
  #acknowledged = 0;
  /** The number of the last Response that came; 0 if they have no numbers. */
  #received = 0;
  #resumeToken: string | undefined;
  readonly #key: string | undefined;
  #alive: ReturnType<typeof setInterval> | undefined;
  #hasBegun = false;
  #hasEnded = false;
  #error: GenApiError | undefined;

  constructor(requests: Requests, target: CallTarget, options: CallOptions) {
    this.#requests = requests;
    this.#target = target;
    this.#options = options;
    this.#key = keyOf(options);
    const { signal } = options;
    if (signal?.aborted) {
      this.#unwatch = () => undefined;
      this.#end(cancelled(signal));
      return;
    }
    this.#unwatch = watchEnding(options, (error) => {
      this.#requests.leave(this.#id, "cancel");
      this.#end(error);
    });
    this.#id = requests.start(this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    this.#consume();
    if (this.#taken < this.#chunks.length) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#hasEnded) return this.#finish();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The loop was left. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#requests.leave(this.#id, "stop_stream");
    this.#chunks = [];
    this.#taken = 0;
    this.#error = undefined;
    this.#end();
    return this.#finish();
  }

  frame(id: string): Frame {
    if (this.#resumeToken !== undefined) {
      return { kind: "resume", payload: { request_id: id, resume_token: this.#resumeToken, seq: this.#received } };
    }
    const { window = defaultWindow, resume = true } = this.#options;
    const request = requestPayload(id, this.#target, this.#options, this.#key);
    return { kind: "request", payload: { ...request, window, resume } };
  }

  onLost(): boolean {
    return this.#resumeToken !== undefined || (this.#key !== undefined && !this.#hasBegun);
  }

  onResponse(response: Response): void {
    if (response.success && !this.#hasBegun) {
      this.#begin(response);
      return;
    }
    const { seq = 0 } = response;
    // It comes again, as after a resumption that crossed with it.
    if (seq > 0 && seq <= this.#received) return;
    // Another client has taken what comes before: it was acknowledged.
    if (this.#received === 0 && seq > 1) this.#given = this.#consumed = this.#acknowledged = seq - 1;
    this.#received = seq;
    // The end has a result only if the function gave it one.
    if (response.has_more || response.result !== null) this.#give(response.result);
    if (response.has_more) return;
    // The gateway need not keep it any longer.
    if (seq > 0) this.#requests.tell(this.#id, "ack", { seq });
    this.#requests.end(this.#id);
    this.#end(response.success ? undefined : errorOfResponse(response));
  }

  onAccepted(): void {
    // The reply follows the first Response. A reply alone is for a function of type none.
    if (!this.#hasBegun) this.#refuse();
    // Or it goes on over another socket: with the last one the last acknowledgement may have been lost.
    else if (this.#acknowledged > 0) this.#acknowledge();
  }

  onFailed(error: GenApiError): void {
    this.#end(error);
  }

  #begin({ has_more: isStream, resume_token: token }: Response): void {
    if (!isStream) {
      this.#refuse();
      return;
    }
    this.#hasBegun = true;
    this.#resumeToken = token;
    this.#alive = setInterval(() => {
      // With a key another client may take it over, which the gateway tells only to whoever asks.
      if (this.#key !== undefined) this.#acknowledge(this.#id);
      else if (this.#consumed < this.#received) this.#acknowledge();
    }, aliveMs);
  }

  /** The loop asks for more: it has done with what it got. */
  #consume(): void {
    this.#consumed = this.#given;
    const window = this.#options.window ?? defaultWindow;
    if (this.#received > 0 && (this.#consumed - this.#acknowledged) * 2 >= window) this.#acknowledge();
  }

  /** @param ref see {@link Requests.tell} */
  #acknowledge(ref?: string): void {
    this.#acknowledged = this.#consumed;
    this.#requests.tell(this.#id, "ack", { seq: this.#consumed }, ref);
  }

  #refuse(): void {
    const { service, requestType } = this.#target;
    this.#requests.leave(this.#id, "cancel");
    const message = `${service}.${requestType} is no stream: await its result`;
    this.#end(new GenApiError("invalid_request", message, { requestId: this.#id }));
  }

  #give(chunk: unknown): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      this.#chunks.push(chunk);
      return;
    }
    this.#given++;
    waiting.resolve({ done: false, value: chunk });
  }

  #take(): unknown {
    const chunk = this.#chunks[this.#taken];
    this.#given++;
    this.#chunks[this.#taken++] = undefined;
    if (this.#taken === this.#chunks.length) {
      this.#chunks = [];
      this.#taken = 0;
    }
    return chunk;
  }

  /** @param error its failure; undefined for an end in good order */
  #end(error?: GenApiError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#error = error;
    this.#unwatch();
    clearInterval(this.#alive);
    for (const { resolve, reject } of this.#waiting.splice(0)) this.#finish().then(resolve, reject);
  }

  /** Its failure is told once; whoever asks again is told that there is no more. */
  #finish(): Promise<IteratorResult<unknown, undefined>> {
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }
}
