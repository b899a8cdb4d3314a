/**
 * A client's number for a message or a join. Opaque: the official client counts up in strings, others send numbers or
 * nothing, and each gets back exactly what it sent. A bigint represents an integer of more digits than a number keeps,
 * such as a time in nanoseconds.
 */
export type Ref = string | number | bigint | null;

/** Replaces a payload that is nested too deep to be parsed. */
export class TooDeep {
  /** The payload's own, if it has one. */
  readonly request_id: string | undefined;

  constructor(requestId: string | undefined) {
    this.request_id = requestId;
  }
}

/** One frame of a client, decoded (Phoenix.Socket.Message). */
export interface Message {
  /** The `ref` of the join that opened the channel; null if the client sends none. */
  readonly joinRef: Ref;
  /** The ref for the reply; null if none is expected. */
  readonly ref: Ref;
  readonly topic: string;
  readonly event: string;
  /**
   * Any JSON value, bytes of a binary frame, a {@link TooDeep}, or undefined if it was larger than allowed and hence
   * never parsed.
   */
  readonly payload: unknown;
  /** The `request_id` in a payload that was larger than allowed, if it has one: the error goes to that request. */
  readonly requestId?: string;
  /** The payload's size in bytes; for a small frame the whole frame's size. */
  readonly bytes: number;
  /** The approximate memory of the parsed payload, in bytes. */
  readonly weight: number;
}
