/**
 * Whether a handler can read its second argument, the RequestInfo. Its number of parameters does not say: a wrapper
 * takes `...all`, a default hides the parameters after it, a bound function shows none, `arguments` needs none. So its
 * source is examined, and only a handler that certainly cannot read it gets none: creating a RequestInfo and sending it
 * to a thread costs more than a quick call itself.
 */
export function readsRequestInfo(handler: (...args: never[]) => unknown): boolean {
  if (handler.length > 1) return true;
  const source = Function.prototype.toString.call(handler);
  if (/\[native code\]|\barguments\b|\beval\b/.test(source)) return true;
  // `name => …` takes exactly one argument.
  if (/^(async\s+)?[\w$]+\s*=>/.test(source)) return false;
  // Only a name and the kind of function can precede the parameters.
  const start = /^[\w$\s*]*\(/.exec(source)?.[0].length;
  return start === undefined || !isPlainList(source.slice(start));
}

/**
 * Whether the parameters, up to their closing parenthesis, are only names and patterns: no rest, default, text or
 * comment.
 */
function isPlainList(parameters: string): boolean {
  let depth = 1;
  for (const character of parameters) {
    if ("=.'\"`/".includes(character)) return false;
    if ("([{".includes(character)) depth++;
    if (")]}".includes(character)) depth--;
    if (depth === 0) return true;
  }
  return false;
}
