import type { PeerEnd, PeerPipe, PeerReceiver } from "../../node/peers/peers.ts";
import type { KeyedCalls } from "../idempotency/keyed-calls.ts";
import { type Failure, replayUnavailable, unavailable } from "../request/failure.ts";
import type { ResumableStreams } from "../resume/resumable-streams.ts";
import type { Message } from "./other-gateway.ts";
import { VisitingCall } from "./visiting-call.ts";
import { VisitingStream } from "./visiting-stream.ts";

/** What other gateways may ask for. */
export interface VisitorDeps {
  readonly keyedCalls: KeyedCalls;
  readonly resumable: ResumableStreams;
}

// Each is a running call of one of its clients, which has bounds of its own.
const maxQuestions = 100_000;

/** Another gateway, which asks for calls of this one over one pipe. */
export class Visitor implements PeerReceiver {
  readonly #pipe: PeerPipe;
  readonly #deps: VisitorDeps;
  readonly #calls = new Map<number, VisitingCall>();
  readonly #streams = new Map<number, VisitingStream>();

  constructor(pipe: PeerPipe, deps: VisitorDeps) {
    this.#pipe = pipe;
    this.#deps = deps;
  }

  received(text: string): void {
    const [id, kind, ...fields] = JSON.parse(text) as [number, string, ...unknown[]];
    switch (kind) {
      case "join":
        this.#join(id, fields as [string, string, string, string | null]);
        return;
      case "resume":
        this.#resume(id, fields as [string, string, number | null, string | null]);
        return;
      default: {
        const call = this.#calls.get(id);
        if (call === undefined) this.#streams.get(id)?.heard(kind, fields[0]);
        else if (kind === "cancel") call.cancel();
        else call.leave();
      }
    }
  }

  closed(_end: PeerEnd): void {
    for (const call of [...this.#calls.values()]) call.leave();
    for (const stream of [...this.#streams.values()]) stream.leave();
  }

  #join(id: number, [requestId, key, digest, version]: [string, string, string, string | null]): void {
    if (this.#isFull) {
      this.#tell(id, "refused", unavailable);
      return;
    }
    const keyed = this.#deps.keyedCalls.find(key, digest, version);
    if (keyed === null) {
      this.#tell(id, "vacant");
    } else if ("code" in keyed) {
      this.#tell(id, "refused", keyed);
    } else if (keyed.isSettled) {
      const response = keyed.responseTo(requestId);
      if (keyed.resumeToken !== null) this.#tell(id, "joined", keyed.resumeToken);
      else if (response === null) this.#tell(id, "refused", replayUnavailable);
      else this.#tell(id, "settled", response, keyed.failure satisfies Failure | null, true);
    } else {
      const call = new VisitingCall(
        requestId,
        keyed,
        (...message) => this.#tell(id, ...message),
        () => this.#calls.delete(id),
      );
      this.#calls.set(id, call);
      call.wait();
    }
  }

  /** Its client is connected to the other gateway. */
  #resume(id: number, [requestId, token, seq, userId]: [string, string, number | null, string | null]): void {
    const stream = this.#isFull ? null : this.#deps.resumable.getOf(userId, token);
    if (stream === null || (seq !== null && stream.requestId !== requestId)) {
      this.#tell(id, "refused", "not_found");
      return;
    }
    if (seq !== null && stream.gapAt(seq) !== null) {
      this.#tell(id, "refused", "gap");
      return;
    }
    const visiting = new VisitingStream(
      stream,
      (...message) => this.#tell(id, ...message),
      () => this.#streams.delete(id),
    );
    this.#streams.set(id, visiting);
    visiting.begin(requestId, seq);
  }

  get #isFull(): boolean {
    return this.#calls.size + this.#streams.size >= maxQuestions;
  }

  #tell(id: number, ...message: Message): void {
    this.#pipe.send(JSON.stringify([id, ...message]));
  }
}
