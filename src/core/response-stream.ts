/**
 * Lets a function send the chunks of a stream itself, for example from callbacks, instead of being a generator. It is
 * the `stream` of its RequestInfo. Every value sent is encoded at once, with `JSON.stringify`.
 */
export interface ResponseStream {
  /**
   * Sends a chunk. A function that does not wait for the promise fills a bounded buffer; when the buffer is full, the
   * stream fails.
   *
   * @returns resolves when the client can take another chunk, rejects when the stream is over; an unhandled rejection
   * does no harm
   */
  sendResult(value: unknown): Promise<void>;
  /** Sends the last chunk and ends the stream. */
  sendLastResult(value: unknown): void;
  /** Ends the stream. */
  sendComplete(): void;
  /** Ends the stream as if the function had thrown this error: the client sees a GenApiError and no other error. */
  sendError(error: unknown): void;
  /** Resolves when the client can take a chunk, rejects when the stream is over. */
  readonly ready: Promise<void>;
}
