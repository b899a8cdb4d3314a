/**
 * One end of a connection between a gateway and a service node. Messages arrive whole and in the order in which they
 * were sent, or the pipe closes: nothing is lost in between.
 */
export interface Pipe {
  /** The other end, for people: an address or a subject. Its identity has not been proven yet. */
  readonly peer: string;
  /**
   * The only name the other end can have, if the transport knows it from the subjects' permissions or a client's
   * certificate. A node with another name is refused.
   */
  readonly peerName?: string;
  /** Whether both ends are on one machine. */
  readonly isLoopback: boolean;
  /** Grows with all received bytes, including parts of an incomplete message. @default messages come whole */
  readonly bytesRead?: number;
  /** Bytes that were sent and have not left this process. */
  readonly bufferedBytes: number;
  /** Sends a message of any size. Does nothing once the pipe is closed; never throws. */
  send(message: Uint8Array): void;
  /**
   * Ends the pipe at once. `closed` is called on the receivers of both ends, on this end's perhaps before this returns.
   */
  close(reason: string): void;
}

/** Receives the messages of a {@link Pipe}. */
export interface PipeReceiver {
  /** Whether the other end has proven its identity: only then does a dialer reset its backoff. */
  readonly isUp: boolean;
  /** @param message valid only during the call. A throw closes the pipe. */
  received(message: Uint8Array): void;
  /**
   * The pipe has ended; called once.
   * @param undeliveredFrom the number, counted from 0 over everything this end sent, of the first message that
   * certainly has not reached the other end; left out if unknown
   */
  closed(reason: string, undeliveredFrom?: number): void;
}
