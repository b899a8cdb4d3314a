/** What the threads of worker-pool.bench run. */
export function echo(message: unknown): unknown {
  return message;
}

/** An endless stream. */
export function* chunks(): Generator<unknown> {
  for (let i = 0; ; i++) yield { i, text: `chunk ${i}` };
}

/** The same, asynchronous. */
export async function* laterChunks(): AsyncGenerator<unknown> {
  for (let i = 0; ; i++) yield { i, text: `chunk ${i}` };
}
