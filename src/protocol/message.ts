/**
 * A client's number for a message or a join. Opaque: the official client counts up in strings, others send numbers
 * or nothing, and every one gets back exactly what it sent.
 */
export type Ref = string | number | null;

/** One frame of a client, decoded (Phoenix.Socket.Message). */
export interface Message {
  /** The `ref` of the join that opened the channel; null where the client sends none. */
  readonly joinRef: Ref;
  /** What the reply must carry; null where none is expected. */
  readonly ref: Ref;
  readonly topic: string;
  readonly event: string;
  /** Any JSON value, bytes of a binary frame, or undefined when it was larger than allowed and hence never parsed. */
  readonly payload: unknown;
  /** The payload's size in bytes. Up to the largest payload allowed this is the whole frame's size. */
  readonly bytes: number;
}
