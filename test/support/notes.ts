import { BroadcastChannel } from "node:worker_threads";

/** Hears what functions note with `test/fixtures/notes.js`, on whatever thread, and tells them to go on. */
export class Notes implements Disposable {
  /** What was noted and not taken by {@link next} yet, oldest first. */
  readonly heard: string[] = [];
  readonly #channel = new BroadcastChannel("notes");
  #waiting: { readonly text: string; readonly resolve: () => void }[] = [];

  constructor() {
    this.#channel.onmessage = (message) => this.#hear((message as { data: string }).data);
  }

  /** Resolves when `text` is noted, or at once if it was. */
  next(text: string): Promise<void> {
    const at = this.heard.indexOf(text);
    if (at === -1) return new Promise((resolve) => this.#waiting.push({ text, resolve }));
    this.heard.splice(at, 1);
    return Promise.resolve();
  }

  /** Lets functions go on that wait for `text`. */
  tell(text: string): void {
    this.#channel.postMessage(text);
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }

  #hear(text: string): void {
    const at = this.#waiting.findIndex((waiting) => waiting.text === text);
    if (at === -1) this.heard.push(text);
    else this.#waiting.splice(at, 1)[0]?.resolve();
  }
}
