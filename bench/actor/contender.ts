/** A way to have actors: a counter each, which is asked and told to add. */
export interface Contender<Actor> {
  open(): Promise<World<Actor>>;
}

/** Where a contender's actors live. */
export interface World<Actor> {
  /** Starts an actor, which can be asked when this is over. */
  spawn(id: string): Actor | PromiseLike<Actor>;
  stop(actor: Actor): unknown;
  /** Adds, and waits for the count. */
  call(actor: Actor, by: number): PromiseLike<number>;
  /** Adds, and waits for nothing. */
  cast(actor: Actor, by: number): void;
  /** Crashes an actor that is restarted, and asks the one that begins anew; nothing where nobody restarts. */
  readonly crash?: () => PromiseLike<number>;
  /** Stops all of them. Not there where it takes minutes. */
  readonly close?: () => unknown;
}
