// What the processes of socket.bench and cluster.bench tell their parent.

/**
 * Tells the parent that this process is ready, then, each time it asks, the CPU time that this process has used, threads
 * included, in microseconds. The process ends with its parent.
 */
export function reportTo(ready: unknown): void {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.on("disconnect", () => process.exit());
  process.send?.(ready);
}
