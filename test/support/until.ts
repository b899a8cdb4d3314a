// Less than a test has, so that the one that waits in vain says for what.
const longestMs = 25_000;

/** Runs turns of the event loop until `holds`. @throws after 25 s, or `patienceMs` */
export async function until(holds: () => boolean | Promise<boolean>, patienceMs = longestMs): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Waited for ${patienceMs} ms in vain until ${holds}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
