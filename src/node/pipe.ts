/**
 * One end of a connection between a gateway and a service node. Messages arrive whole and in the order in which they
 * were sent, or the pipe closes: nothing is lost in between.
 */
export interface Pipe {
  /** The other end, for people: an address or a subject. Who it says it is has not been proven yet. */
  readonly peer: string;
  /**
   * The only name that the other end can have, where the transport knows it: the subjects' permissions, or a client's
   * certificate. Who says another one is refused.
   */
  readonly peerName?: string;
  /** Whether both ends are on one machine. */
  readonly isLoopback: boolean;
  /** Grows with whatever comes, parts of a message that is not whole yet among it. @default messages come whole */
  readonly bytesRead?: number;
  /** Bytes that were sent and have not left this process. */
  readonly bufferedBytes: number;
  /** Sends a message, of whatever size. Does nothing once the pipe is closed; never throws. */
  send(message: Uint8Array): void;
  /** Ends the pipe at once. The receivers of both ends hear `closed`, this end's perhaps before this returns. */
  close(reason: string): void;
}

/** Who takes what comes through a {@link Pipe}. */
export interface PipeReceiver {
  /** Whether the other end has proven who it is: who dials starts its backoff anew only after that. */
  readonly isUp: boolean;
  /** @param message valid only during the call. A throw closes the pipe. */
  received(message: Uint8Array): void;
  /**
   * The pipe has ended; called once.
   * @param undeliveredFrom the number, counted from 0 over everything this end sent, of the first message that
   *   certainly has not reached the other end; left out where that is not known
   */
  closed(reason: string, undeliveredFrom?: number): void;
}
