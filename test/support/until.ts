import { setTimeout as sleep } from "node:timers/promises";

// Less than a test has, so that the one that waits in vain says for what.
const longestMs = 100_000;
// What comes within this process comes in a few turns; what another process sends comes sooner when this one does not spin.
const turns = 100;
const restMs = 2;

/** Runs turns of the event loop until `holds`. @throws after 100 s, or `patienceMs` */
export async function until(holds: () => boolean | Promise<boolean>, patienceMs = longestMs): Promise<void> {
  const end = performance.now() + patienceMs;
  for (let turn = 0; !(await holds()); turn += 1) {
    if (performance.now() > end) throw new Error(`Waited for ${patienceMs} ms in vain until ${holds}`);
    await (turn < turns ? new Promise((resolve) => setImmediate(resolve)) : sleep(restMs));
  }
}
