/** A URL's query as nested values. Objects have no prototype: a key such as `__proto__` is a key like any other. */
export type QueryParams = { [name: string]: QueryValue };
type QueryValue = string | QueryValue[] | QueryParams;

const maxParams = 1_000;
const maxDepth = 32;

/**
 * Parses a query like Plug.Conn.Query: `a[b]=1` nests, `a[]=1` makes a list, the last of equal names wins. A value that
 * conflicts with an earlier one replaces it.
 */
export function parseQuery(query: string): QueryParams {
  const params: QueryParams = Object.create(null);
  let count = 0;
  for (const [name, value] of new URLSearchParams(query)) {
    if (++count > maxParams) break;
    const bracket = name.indexOf("[");
    const keys = bracket > 0 && name.endsWith("]") ? name.slice(bracket + 1, -1).split("][") : undefined;
    if (keys === undefined || keys.length > maxDepth) params[name] = value;
    else put(params, name.slice(0, bracket), keys, value);
  }
  return params;
}

function put(into: QueryParams, name: string, keys: string[], value: string): void {
  const [key, ...rest] = keys;
  if (key === undefined) {
    into[name] = value;
    return;
  }
  const present = into[name];
  if (key === "") {
    // Lists do not nest, because `a[][b]` has no single meaning.
    if (Array.isArray(present)) present.push(value);
    else into[name] = [value];
    return;
  }
  const nested = typeof present === "object" && !Array.isArray(present) ? present : Object.create(null);
  into[name] = nested;
  put(nested, key, rest, value);
}
