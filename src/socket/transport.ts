import type { Duplex } from "node:stream";

/** An open WebSocket, as the connection above it sees it. */
export interface Transport {
  /** The stream below it, for frames that are already encoded. */
  readonly socket: Duplex;
  /** False from the moment that either side began to close. */
  readonly isOpen: boolean;
  /** Bytes received since the socket was opened. */
  readonly bytesReceived: number;
  /** Starts the closing handshake. */
  close(code: number, reason: string): void;
}
