import type { Pipe, PipeReceiver } from "../../src/node/wire/pipe.ts";

/** One end of a pipe that moves only when the test says so, and closes within the very call. */
export class ManualPipe implements Pipe {
  readonly peer: string;
  readonly isLoopback = true;
  bufferedBytes = 0;
  bytesRead = 0;
  receiver: PipeReceiver | null = null;
  /** What was sent and has not arrived. */
  sent: Uint8Array[] = [];
  /** How many messages have arrived at the other end. */
  delivered = 0;
  other: ManualPipe | null = null;
  reason: string | null = null;

  constructor(peer: string) {
    this.peer = peer;
  }

  send(message: Uint8Array): void {
    if (this.reason === null) this.sent.push(Uint8Array.from(message));
  }

  close(reason: string): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.other?.close(reason);
    this.receiver?.closed(reason, this.delivered);
  }

  /** Delivers what was sent, at most so many messages. @returns how many */
  deliver(most = Number.POSITIVE_INFINITY): number {
    let count = 0;
    for (; count < most && this.reason === null && this.sent.length > 0; count++) {
      this.delivered++;
      this.other?.receiver?.received(this.sent.shift() as Uint8Array);
    }
    return count;
  }
}

/** Two ends of one pipe. */
export function createManualPipe(): readonly [here: ManualPipe, there: ManualPipe] {
  const here = new ManualPipe("there");
  const there = new ManualPipe("here");
  here.other = there;
  there.other = here;
  return [here, there];
}
