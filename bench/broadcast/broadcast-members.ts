// Everybody in the room of one of the servers that broadcast.bench compares: a process of its own, since one process may
// not open the sockets of all three rooms. It tells its parent when all have joined, and when what it was told to expect
// has come: that many bytes, or, for null, one message, whose size it tells.
import { setTimeout as sleep } from "node:timers/promises";
import { phoenix, socketIo } from "../latency/dialect.js";
import { Members } from "./members.js";

const [port, dialect, count] = process.argv.slice(2);
const members = await Members.join(Number(port), dialect === "socketIo" ? socketIo : phoenix, Number(count));

async function oneMessage(): Promise<number> {
  let before = -1;
  while (members.sinceThen === 0 || members.sinceThen !== before) {
    before = members.sinceThen;
    await sleep(300);
  }
  await members.received(before);
  return before;
}

process.on("message", async (bytes: number | null) => {
  if (bytes === null) process.send?.(await oneMessage());
  else {
    await members.received(bytes);
    process.send?.(bytes);
  }
});
process.on("disconnect", () => process.exit());
process.send?.("joined");
