/** The allowed size of a message's payload. */
export interface PayloadLimit {
  /** The most bytes of any message's payload. */
  readonly maxPayloadBytes: number;
  /** The most bytes of this message's payload; called only for frames of more than {@link alwaysReadBytes}. */
  maxPayloadBytesOf(topic: string, event: string): number;
}

/**
 * Frames of at most this many bytes are parsed at once. From a larger one the head is read first: an event without
 * large payloads must not cost the parsing of one.
 */
export const alwaysReadBytes = 4_096;
