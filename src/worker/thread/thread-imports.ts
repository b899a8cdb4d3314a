import { libraryError } from "../../core/errors.ts";
import { settle } from "../../core/foreign/thenable.ts";
import { hearStarts, type StartOnThread } from "../../core/own-thread.ts";

/** An import in progress. */
interface Import {
  readonly module: string;
  /** Reject the callers that wait for it. */
  readonly waiting: ((error: Error) => void)[];
  /** Why the import is considered endless. */
  failure: Error | null;
  timer: NodeJS.Timeout | undefined;
}

// How long an import may continue after code in it tried to start a program: an import that awaits this start never
// ends.
const graceMs = 500;

const advice =
  "move the functions into a file of their own, or start only where `isMainThread` of node:worker_threads is true";

/**
 * The imports of a thread. A module that starts a gateway or a service node when imported starts nothing here; its
 * importers get that as the reason, unless the import ends by itself.
 */
export class ThreadImports {
  readonly #imports: Import[] = [];
  readonly #report: (error: Error) => void;

  /** @param report receives each start */
  constructor(report: (error: Error) => void) {
    this.#report = report;
    hearStarts((start) => this.#started(start));
  }

  /**
   * The result of `importing`.
   * @throws its rejection; GenApiError `module_unreadable` if the module waits for a start
   */
  watch<Imported>(module: string, importing: Promise<Imported>): Promise<Imported> {
    const watched = this.#imports.find((each) => each.module === module) ?? this.#add(module);
    return new Promise((resolve, reject) => {
      const ended = () => {
        clearTimeout(watched.timer);
        drop(watched.waiting, reject);
        drop(this.#imports, watched);
      };
      settle(
        importing,
        (imported) => {
          ended();
          resolve(imported as Imported);
        },
        (thrown) => {
          ended();
          reject(thrown);
        },
      );
      if (watched.failure === null) watched.waiting[watched.waiting.length] = reject;
      else reject(watched.failure);
    });
  }

  #started({ called, where }: StartOnThread): void {
    const place = where === null ? "" : ` at ${where}`;
    const what = `${called} was called${place} on a thread that runs functions, and starts nothing there`;
    this.#report(libraryError("invalid_option", `${what}: threads import the files of their functions; ${advice}`));
    // The file itself, if threads import it; otherwise any running import may have led to it.
    const itself = this.#imports.filter(({ module }) => where?.startsWith(`${module}:`) === true);
    (itself.length > 0 ? itself : this.#imports).forEach((watched) => {
      watched.timer ??= setTimeout(() => {
        const problem = `it waits for ${called}, which it calls${place} when it is imported`;
        const failure = libraryError(
          "module_unreadable",
          `The module ${watched.module} cannot be imported: ${problem}; ${advice}`,
        );
        watched.failure = failure;
        watched.waiting.forEach((fail) => {
          fail(failure);
        });
      }, graceMs);
    });
  }

  #add(module: string): Import {
    const added: Import = { module, waiting: [], failure: null, timer: undefined };
    this.#imports[this.#imports.length] = added;
    return added;
  }
}

function drop<Item>(list: Item[], item: Item): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
