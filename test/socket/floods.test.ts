import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { frame, upgraded } from "../support/network/hand-made-frames.ts";
import { openGateway } from "./open-gateway.ts";

const times = (bytes: Buffer, count: number) => Buffer.concat(Array.from({ length: count }, () => bytes));
const text = (message: unknown) => frame(1, Buffer.from(JSON.stringify(message)));
const manyMaps = Array.from({ length: 200_000 }, () => ({}));

const floods: readonly [name: string, flood: Buffer][] = [
  ["empty pongs", times(frame(10, Buffer.alloc(0)), 90_000)],
  ["pings", times(frame(9, Buffer.from("x")), 90_000)],
  [
    "empty fragments",
    times(
      Buffer.concat([
        frame(1, Buffer.alloc(0), false),
        times(frame(0, Buffer.alloc(0), false), 900),
        frame(0, Buffer.from('[null,null,"t","e",{}]')),
      ]),
      200,
    ),
  ],
  ["heartbeats", times(text([null, "1", "phoenix", "heartbeat", {}]), 20_000)],
  ["joins", times(text(["1", "1", "api:a", "phx_join", {}]), 1_500)],
  ["leaves", times(text(["1", "1", "api:a", "phx_leave", {}]), 20_000)],
  ["messages to topics that nobody joined", times(text(["1", "1", "nowhere", "x", {}]), 20_000)],
  ["cancels with large payloads", times(text(["1", "1", "api:a", "cancel", manyMaps]), 60)],
];

/** Resolves when the answer to the heartbeat `ref` has come. */
function answered(socket: Socket, ref: string): Promise<void> {
  let tail = "";
  return new Promise((resolve) => {
    socket.on("data", (data) => {
      tail = (tail + data.toString("latin1")).slice(-200_000);
      if (tail.includes(`[null,"${ref}","phoenix","phx_reply"`)) resolve();
    });
  });
}

describe("a client that floods its socket has to let others have their turns:", () => {
  it.each(floods)("%s", async (_name, flood) => {
    // Turns alone, without the limit that would pause it.
    await using gateway = await openGateway({ frameLimit: { perSecond: 10_000_000, burst: 10_000_000 } });
    const calm = await gateway.joined();
    const socket = await upgraded(gateway.url);
    socket.write(text(["1", "1", "api:a", "phx_join", {}]));
    const end = answered(socket, "end");
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    count();
    socket.write(flood);
    socket.write(text([null, "end", "phoenix", "heartbeat", {}]));
    await end;
    isOver = true;
    // All at once it would take a turn or two of the event loop: what the network brings in one is up to two megabytes.
    expect(turns).toBeGreaterThan(10);
    await calm.settled();
    socket.destroy();
  });
});
