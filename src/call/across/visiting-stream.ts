import type { Caller, LaterResponses } from "../request/caller.ts";
import { RunningCalls } from "../request/running-calls.ts";
import type { ResumableStream } from "../resume/resumable-stream.ts";
import type { Message } from "./other-gateway.ts";

// Responses on their way to the other gateway, and on to its client's socket.
const maxUntaken = 32;
const maxUntakenBytes = 1024 * 1024;

/** The channel of a stream whose client is connected to another gateway. */
export class VisitingStream implements LaterResponses {
  readonly #stream: ResumableStream;
  readonly #calls = new RunningCalls();
  readonly #tell: (...message: Message) => void;
  readonly #end: () => void;
  /** The sizes of those that the client's socket has not taken. */
  readonly #untaken: number[] = [];
  #untakenBytes = 0;
  #waiting: (() => void)[] = [];
  #isOver = false;

  constructor(stream: ResumableStream, tell: (...message: Message) => void, end: () => void) {
    this.#stream = stream;
    this.#tell = tell;
    this.#end = end;
  }

  /** @param seq the last Response that the client has received; null to take all that is kept, under this request id */
  begin(requestId: string, seq: number | null): void {
    const stream = this.#stream;
    this.#tell("resumed", seq ?? stream.firstKept - 1);
    const caller = callerOf(stream.caller, this.#calls);
    if (seq === null) stream.attach(caller, this, requestId);
    else stream.resume(caller, this, seq);
  }

  push(response: string): void {
    this.#untaken.push(response.length);
    this.#untakenBytes += response.length;
    this.#tell("push", response);
  }

  get isReady(): boolean {
    return this.#untaken.length < maxUntaken && this.#untakenBytes < maxUntakenBytes;
  }

  whenReady(run: () => void): void {
    this.#waiting.push(run);
    this.#wake();
  }

  left(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#end();
    this.#tell("left");
  }

  /** What its client says of it. */
  heard(kind: string, value: unknown): void {
    const { requestId } = this.#stream;
    switch (kind) {
      case "took":
        this.#took(value as number);
        return;
      case "ack":
        this.#calls.acknowledge(requestId, value);
        return;
      case "stop":
        this.#calls.stopStream(requestId)?.();
        return;
      case "cancel":
        this.#calls.cancel(requestId)?.();
        return;
      case "abort":
        this.#over();
        this.#calls.abortAll("disconnected");
        return;
      default:
        this.leave();
    }
  }

  /** Its client is gone, or its gateway, and the client may come back. */
  leave(): void {
    this.#over();
    this.#calls.detachAll();
  }

  #over(): void {
    this.#isOver = true;
    this.#end();
  }

  #took(count: number): void {
    for (const size of this.#untaken.splice(0, count)) this.#untakenBytes -= size;
    this.#wake();
  }

  #wake(): void {
    if (this.#waiting.length === 0 || !this.isReady) return;
    for (const run of this.#waiting.splice(0)) run();
  }
}

/** Who had the stream, with these calls. */
function callerOf(caller: Caller, calls: RunningCalls): Caller {
  const { userId, deviceId, userRoles, ipAddress, topic, claims, trace, share, depth } = caller;
  const { overrideUserId, requireVerifiedUserId } = caller;
  const identity = { userId, deviceId, userRoles, ipAddress, topic, claims, trace, share, depth };
  return { ...identity, overrideUserId, requireVerifiedUserId, calls };
}
