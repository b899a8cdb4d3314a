/** What the threads of worker-pool.bench run. */
export function echo(message: unknown): unknown {
  return message;
}
