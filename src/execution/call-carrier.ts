/** A call of another function, as the function that makes it asks for it. */
export interface NestedRequest {
  readonly service: string;
  readonly requestType: string;
  /** The arguments as JSON text. */
  readonly args: string;
  readonly version: string | null;
  /** How long the function waits at most, milliseconds; null: as long as its own caller waits. */
  readonly timeoutMs: number | null;
  /** Whether the function takes a stream. */
  readonly isStream: boolean;
}

/** The function that waits for a nested call. */
export interface NestedListener {
  /**
   * A Response, as a client would get it.
   * @param response its JSON: a chunk of a stream, or the last Response, which always comes
   */
  onResponse(response: string, isLast: boolean): void;
}

/** A nested call under way. */
export interface RunningNested {
  /** The function no longer waits; the last Response still comes. */
  cancel(): void;
  /** The function has taken `chunks` chunks of a stream. */
  grant(chunks: number): void;
}

/** Carries the calls that one running function makes to its gateway, which treats them as requests of its caller. */
export interface CallCarrier {
  /** May call the listener before it returns. */
  carry(request: NestedRequest, listener: NestedListener): RunningNested;
}

/** The most calls that one function may have under way at a time; further ones wait for these. */
export const maxNestedCalls = 16;

/** The most streams of other functions that one function may take at a time; further ones are `unavailable`. */
export const maxNestedStreams = 16;
