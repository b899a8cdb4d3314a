import type { Duplex } from "node:stream";
import type { ReceivedMessage } from "../inbound/inbound.ts";

/** An open WebSocket, as the connection above it uses it. */
export interface OpenSocket {
  /** The stream below it, for encoded frames. */
  readonly socket: Duplex;
  /** False as soon as either side begins to close. */
  readonly isOpen: boolean;
  /** Bytes received since the socket was opened. */
  readonly bytesReceived: number;
  /** When the current unfinished message began; null if there is none. Milliseconds of the gateway's clock. */
  readonly partSince: number | null;
  /** Whether any input is not handled yet. */
  readonly isBusy: boolean;
  /** Delivers messages again that had to wait, before any that came since. */
  takeBack(messages: readonly ReceivedMessage[]): void;
  /** Starts the closing handshake. */
  close(code: number, reason: string): void;
  /** Sends the reason, and closes without waiting for the other side: frees the memory of waiting data. */
  abandon(code: number, reason: string): void;
}
