/** A client's text as an attribute: its names may be as long as its request. */
export function bounded(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}

/** An error as a span's exception: its message and stack, bounded. */
export function boundedError({ name, message, stack }: Error): { name: string; message: string; stack?: string } {
  const shown = { name: bounded(name), message: message.slice(0, 1_000) };
  return stack === undefined ? shown : { ...shown, stack: stack.slice(0, 8_000) };
}
