import type { CancelReason } from "../../execution/worker-call.ts";
import type { Caller, LaterResponses } from "../request/caller.ts";
import { cancelled, type Failure, unavailable } from "../request/failure.ts";
import { encodeFailure, withSeq } from "../request/response.ts";
import type { EndedStream, Place, RunningCall } from "../request/running-calls.ts";
import type { Message, OtherGateway, Question } from "./other-gateway.ts";

/** What a client asks for. */
export interface ForwardedStreamOptions {
  readonly requestId: string;
  readonly token: string;
  /** The last Response that its client has received; null to go on under this request id with all that is kept. */
  readonly seq: number | null;
  readonly caller: Caller;
  /** Receives its Responses. */
  readonly channel: LaterResponses;
  readonly other: OtherGateway;
  /**
   * Called once.
   * @param refused why it does not go on here; null if it does, from {@link ForwardedStream.start} on
   */
  answered(refused: string | null): void;
}

/**
 * A stream of another gateway whose client is here: passes its Responses to the client, and what the client says of it
 * to the other gateway. Its Responses are kept there, until the client acknowledges them.
 */
export class ForwardedStream implements Question, RunningCall, EndedStream {
  readonly requestId: string;
  readonly #options: ForwardedStreamOptions;
  readonly #id: number;
  /** Its place among its caller's calls; null once it has ended. */
  #place: Place | null;
  #isAnswered = false;
  #isStarted = false;
  /** Whether its last Response has come; and been delivered. */
  #hasEnd = false;
  #isEnded = false;
  #isOver = false;
  /** How the client ends it, once it has said so. */
  #endsBy: "cancel" | "stop" | null = null;
  /** Whether the other gateway keeps what was delivered. */
  #isKept = true;
  /** The number of the last Response that was given to the channel. */
  #delivered: number;
  /** The number of the last one that the client has acknowledged. */
  #acknowledged: number;
  /** So many come again, because the pipe was lost. */
  #known = 0;
  /** Those that wait until the channel takes them. */
  #waiting: string[] = [];

  constructor(options: ForwardedStreamOptions) {
    const { requestId, caller, other, seq } = options;
    this.#options = options;
    this.requestId = requestId;
    this.#delivered = seq ?? 0;
    this.#acknowledged = this.#delivered;
    this.#place = caller.calls.add(this);
    caller.calls.countStream(this.#place);
    this.#id = other.ask(this);
  }

  get isStream(): boolean {
    return true;
  }

  /** Its client was told that it goes on here. */
  start(): void {
    this.#isStarted = true;
    this.#deliver();
  }

  get isPatient(): boolean {
    return this.#isAnswered;
  }

  begin(): readonly Message[] {
    const { requestId, token, seq, caller } = this.#options;
    // Again: what was not acknowledged may still get lost between here and the client.
    const from = this.#isAnswered ? this.#acknowledged : seq;
    const resume: Message = ["resume", requestId, token, from, caller.userId];
    if (!this.#isAnswered) return [resume];
    const ack: Message = ["ack", this.#acknowledged];
    return this.#endsBy === null ? [resume, ack] : [resume, ack, [this.#endsBy]];
  }

  heard(kind: string, fields: readonly unknown[]): void {
    if (kind === "push" && this.#known > 0) {
      this.#known--;
      this.#tell("took", 1);
    } else if (kind === "push") {
      const text = fields[0] as string;
      this.#hasEnd = isEnd(text);
      this.#waiting.push(text);
      this.#deliver();
    } else if (kind === "resumed") {
      const from = fields[0] as number;
      this.#known = this.#isAnswered ? this.#received - from : 0;
      if (this.#isAnswered) return;
      this.#delivered = from;
      this.#acknowledged = from;
      this.#isAnswered = true;
      this.#options.answered(null);
    } else if (kind === "refused") {
      this.#refused(fields[0] as string);
    } else {
      this.#left();
    }
  }

  lost(): void {
    this.#refused("not_found");
  }

  abort(reason: CancelReason, failure: Failure): void {
    if (reason === "cancelled" && failure === cancelled) this.#endWith("cancel");
    // When this gateway stops, the client may come back to the stream through another.
    else if (reason === "stopped") this.detach();
    else this.forget();
  }

  stop(): void {
    this.#endWith("stop");
  }

  acknowledge(seq: number): boolean {
    if (seq > this.#delivered) return false;
    this.#acknowledged = Math.max(this.#acknowledged, seq);
    this.#tell("ack", seq);
    if (this.#isEnded && seq === this.#delivered) this.#leave();
    return true;
  }

  detach(): void {
    this.#tell("detach");
    this.#leave();
  }

  forget(): void {
    this.#tell("abort");
    this.#leave();
  }

  /** The other gateway does not have it, or is gone. */
  #refused(reason: string): void {
    if (!this.#isAnswered) {
      this.#leave();
      this.#isAnswered = true;
      this.#options.answered(reason);
      return;
    }
    this.#options.other.end(this.#id);
    this.#isKept = false;
    if (!this.#hasEnd) {
      this.#hasEnd = true;
      this.#waiting.push(withSeq(encodeFailure(this.requestId, unavailable, false), this.#received + 1));
    }
    this.#deliver();
  }

  /** The number of the last Response that came. */
  get #received(): number {
    return this.#delivered + this.#waiting.length;
  }

  #endWith(how: "cancel" | "stop"): void {
    this.#endsBy = how;
    this.#tell(how);
  }

  /** Gives the channel what has come, as fast as its socket takes it. */
  #deliver(): void {
    const { channel } = this.#options;
    if (!this.#isStarted) return;
    let taken = 0;
    while (this.#waiting.length > 0 && !this.#isOver && channel.isReady) {
      this.#delivered++;
      taken++;
      const text = this.#waiting.shift() as string;
      if (this.#hasEnd && this.#waiting.length === 0) this.#ended();
      channel.push(text);
    }
    if (taken > 0) this.#tell("took", taken);
    if (this.#isOver) return;
    if (this.#waiting.length > 0) channel.whenReady(() => this.#deliver());
    else if (!this.#isKept) this.#leave();
  }

  /** Its client need only acknowledge its end. */
  #ended(): void {
    this.#isEnded = true;
    this.#leavePlace();
    this.#options.caller.calls.keepEnded(this);
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    this.#leavePlace();
    this.#options.caller.calls.forgetEnded(this);
    this.#options.other.end(this.#id);
  }

  #leavePlace(): void {
    if (this.#place !== null) this.#options.caller.calls.delete(this.#place);
    this.#place = null;
  }

  /** It goes on elsewhere, and nothing more of it belongs here; or its end is kept no more, and need only arrive. */
  #left(): void {
    this.#options.other.end(this.#id);
    this.#isKept = false;
    if (!this.#hasEnd || this.#waiting.length === 0) this.#leave();
  }

  #tell(...message: Message): void {
    this.#options.other.tell(this.#id, ...message);
  }
}

/** Whether a Response is a stream's last. What follows the result cannot be part of it. */
function isEnd(response: string): boolean {
  return response.includes(',"has_more":false', response.lastIndexOf(',"success":'));
}
