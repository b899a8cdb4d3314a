/**
 * How a function sends a stream's chunks itself, from callbacks for example, instead of being a generator. It is the
 * `stream` of its RequestInfo. Everything sent is encoded at once, by `JSON.stringify`.
 */
export interface ResponseStream {
  /**
   * Sends a chunk. A function that does not wait for the promise fills a bounded buffer; when that is full the stream
   * fails.
   *
   * @returns resolves when the client can take another, rejects when the stream is over; a rejection that nobody
   *   handles harms nothing
   */
  sendResult(value: unknown): Promise<void>;
  /** Sends the last chunk and ends the stream. */
  sendLastResult(value: unknown): void;
  /** Ends the stream. */
  sendComplete(): void;
  /** Ends the stream as a throw of this error would: a GenApiError speaks to the client, anything else does not. */
  sendError(error: unknown): void;
  /** Resolves when the client can take a chunk, rejects when the stream is over. */
  readonly ready: Promise<void>;
}
