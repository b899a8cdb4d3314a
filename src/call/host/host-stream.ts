import { ChunkStream } from "../../execution/chunk-stream.ts";
import type { ReplyTo } from "../request/caller.ts";
import type { Failure } from "../request/failure.ts";
import { errorOfResponse, type Response } from "../request/response.ts";

/** The call whose chunks a {@link HostStream} returns. */
export interface HostStreamCall {
  /** Sends the request, when the first chunk is requested; a throw ends the stream. */
  start(replyTo: ReplyTo): void;
  /** The host has taken so many chunks by now. */
  taken(chunks: number): void;
  /** The stream has ended, or its rest is not wanted. Called once. */
  end(): void;
}

/** A stream's chunks for the host program. */
export class HostStream<Chunk> extends ChunkStream<Chunk> implements ReplyTo {
  readonly #call: HostStreamCall;
  #taken = 0;
  #whenReady: (() => void)[] = [];
  /** A stream's first Response only says that it begins. */
  #hasBegun = false;

  constructor(call: HostStreamCall) {
    super();
    this.#call = call;
  }

  get isReady(): boolean {
    return this.isEmpty;
  }

  whenReady(run: () => void): void {
    this.#whenReady.push(run);
  }

  answer(response: string, _status: "ok" | "error", _reply: string, failure: Failure | null = null): void {
    this.push(response, failure);
  }

  push(encoded: string, failure: Failure | null = null): void {
    if (!this.hasEnded) this.#take(JSON.parse(encoded) as Response<Chunk>, failure);
  }

  /** A request of type `none` was accepted: no Response will come. */
  reply(): void {
    this.end(null);
  }

  protected begin(): void {
    this.#call.start(this);
  }

  protected onTaken(): void {
    this.#call.taken(++this.#taken);
    if (this.isReady) for (const run of this.#whenReady.splice(0)) run();
  }

  protected onEnded(): void {
    this.#whenReady = [];
    this.#call.end();
  }

  #take(response: Response<Chunk>, failure: Failure | null): void {
    if (!response.success) {
      this.end({ error: errorOfResponse(response, failure) });
    } else if (response.has_more) {
      if (this.#hasBegun) this.add(response.result as Chunk);
      this.#hasBegun = true;
    } else if (this.#hasBegun) {
      if (response.result !== null) this.add(response.result);
      this.end(null);
    } else if (!response.async) {
      // The complete result of a function that does not stream.
      this.add(response.result as Chunk);
      this.end(null);
    }
    // Otherwise an async request was accepted, and its result follows.
  }
}
