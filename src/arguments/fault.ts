/** Why a value does not match its declaration. Created only when a value is refused. */
export class Fault {
  /** The path within the argument: "" for the value itself, otherwise for example `[3].name`. */
  path = "";
  readonly expected: string;
  readonly came: string;

  constructor(expected: string, came: string) {
    this.expected = expected;
    this.came = came;
  }

  /** The same fault, seen from the list that contains the value at `index`. */
  atIndex(index: number): this {
    this.path = `[${index}]${this.path}`;
    return this;
  }

  /** The same fault, seen from the map that contains the value under `key`. */
  atKey(key: string): this {
    this.path = `.${clip(key)}${this.path}`;
    return this;
  }
}

/** At most 40 characters of a client's text, so that a message never repeats a long one. */
export function clip(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}

/** Names for a message, quoted; at most ten. */
export function quoted(names: readonly string[]): string {
  const shown = names.slice(0, 10).map((name) => JSON.stringify(clip(name)));
  if (names.length > shown.length) shown.push(`${names.length - shown.length} more`);
  return shown.join(", ");
}
