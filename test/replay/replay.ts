import { setTimeout as sleep } from "node:timers/promises";
import { connectRaw, type Frame, type RawClient } from "../support/network/raw-client.ts";
import type { Recorded } from "./recording.ts";

/** What a replayed case came to. */
interface Replayed {
  readonly frames: readonly Frame[];
  /** The close code, where the socket is expected to be closed. */
  readonly closed: number | null;
  readonly client: RawClient;
}

// Frames are waited for; this is only how long a test waits before it shows what is missing.
const givesUpAfterMs = 20_000;

/**
 * Sends a case's frames over a socket of its own, all at once, except those that the recorded client had reason to
 * send later.
 *
 * @param expected how many frames are to come
 * @param sendAfter how many frames are to come before each frame is sent
 */
export async function replay(
  gatewayUrl: string,
  recorded: Recorded,
  expected: number,
  sendAfter: readonly number[] = [],
): Promise<Replayed> {
  const query = new URLSearchParams({ ...recorded.params, vsn: "2.0.0" });
  const client = await connectRaw(`${gatewayUrl.replace("http", "ws")}/websocket?${query}`);
  await client.join(recorded.topic, "3");
  const frames: Frame[] = [];
  const givenUp = new AbortController();
  const late = sleep(givesUpAfterMs, null, { signal: givenUp.signal, ref: false }).catch(() => null);
  /** @returns false where a frame is missing */
  const receive = async (count: number) => {
    while (frames.length < count) {
      const frame = await Promise.race([client.next(), late]);
      if (frame === null) return false;
      frames.push(frame);
    }
    return true;
  };
  for (const [index, frame] of recorded.sent.entries()) {
    await receive(sendAfter[index] ?? 0);
    client.send(frame);
  }
  if (recorded.closed.length > 0) {
    const closed = await client.closed;
    givenUp.abort();
    return { frames: [...frames, ...client.frames], closed: closed.code, client };
  }
  // Whoever still waits for a frame would take the answer that `settled` waits for.
  if (!(await receive(expected))) return { frames, closed: null, client };
  givenUp.abort();
  await client.settled();
  return { frames: [...frames, ...client.frames.splice(0)], closed: null, client };
}
