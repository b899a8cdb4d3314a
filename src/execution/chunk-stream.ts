interface Taker<Chunk> {
  resolve(result: IteratorResult<Chunk, void>): void;
  reject(error: unknown): void;
}

const done: IteratorResult<never, void> = Object.freeze({ done: true, value: undefined });

/**
 * A stream's chunks for whoever called it, as fast as they are taken. Not a generator, because `return` of a generator
 * that waits for a chunk waits as well: here it ends the stream at once, and a pending `next` gets `done`. Calls of
 * `next` may overlap; chunks go to them in order.
 */
export abstract class ChunkStream<Chunk> implements AsyncGenerator<Chunk, void, void> {
  /** Chunks that were not taken yet. */
  readonly #chunks: Chunk[] = [];
  readonly #takers: Taker<Chunk>[] = [];
  #state: "new" | "running" | "ended" = "new";
  /** Why it ended, until that was reported. */
  #failure: { readonly error: unknown } | null = null;

  /** The first chunk is requested; a throw ends the stream. */
  protected abstract begin(): void;
  /** A chunk was taken. */
  protected abstract onTaken(): void;
  /** The stream has ended, or its rest is not wanted. Called once. */
  protected abstract onEnded(): void;

  next(): Promise<IteratorResult<Chunk, void>> {
    if (this.#state === "new") this.#start();
    if (this.#chunks.length > 0) {
      const value = this.#chunks.shift() as Chunk;
      this.onTaken();
      return Promise.resolve({ done: false, value });
    }
    if (this.#state !== "ended") return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
    const failure = this.#failure;
    this.#failure = null;
    return failure === null ? Promise.resolve(done) : Promise.reject(failure.error);
  }

  /** Ends the stream: the rest is not wanted. */
  return(): Promise<IteratorResult<Chunk, void>> {
    this.#chunks.length = 0;
    this.#failure = null;
    this.end(null);
    return Promise.resolve(done);
  }

  /** Ends the stream, and rejects with `error`. */
  async throw(error: unknown): Promise<IteratorResult<Chunk, void>> {
    await this.return();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether every chunk was taken. */
  protected get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  protected get hasEnded(): boolean {
    return this.#state === "ended";
  }

  protected add(value: Chunk): void {
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#chunks.push(value);
      return;
    }
    taker.resolve({ done: false, value });
    this.onTaken();
  }

  /** @param failure why it ended; null: in good order */
  protected end(failure: { readonly error: unknown } | null): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    const [first, ...others] = this.#takers.splice(0);
    if (failure === null) first?.resolve(done);
    else if (first === undefined) this.#failure = failure;
    else first.reject(failure.error);
    for (const taker of others) taker.resolve(done);
    this.onEnded();
  }

  #start(): void {
    this.#state = "running";
    try {
      this.begin();
    } catch (thrown) {
      this.end({ error: thrown });
    }
  }
}
