import { types } from "node:util";

const { apply, defineProperty, deleteProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
const { isArrayBufferView: isView, isMap, isNativeError, isPromise, isProxy, isSet } = types;
const { isArray } = Array;
const NativePromise = Promise;
const { then } = Promise.prototype;
const { forEach: forEachOfMap } = Map.prototype;
const { forEach: forEachOfSet } = Set.prototype;

// A user's value may be as large as a database. Promises beyond this are the user's own responsibility.
const maxValues = 1_000;
const maxDepth = 8;

/**
 * Handles the rejections of all promises in a value that user code returned or threw, before the value is dropped: an
 * unhandled rejection ends the process. Searches at most 1 000 values, 8 levels deep: own properties, including
 * symbols, lists, Maps, Sets and the causes of errors. Calls no getter and no trap of a Proxy. Never throws.
 */
export function hearPromises(value: unknown): void {
  if (!isObject(value)) return;
  try {
    hearAll(value);
  } catch {
    // An unreadable value is searched as far as possible.
  }
}

/** As {@link hearPromises}, for a promise and the value it settles with. Never throws. */
export function hearPromise(promise: Promise<unknown>): void {
  const own = getOwnPropertyDescriptor(promise, "constructor");
  // `then` asks the promise's constructor for the class of its result: that is user code and may throw.
  const isReplaced = defineProperty(promise, "constructor", { value: NativePromise, configurable: true });
  try {
    apply(then, promise, [hearPromises, hearPromises]);
  } catch {
    // Only for a frozen promise whose constructor throws: nothing in the language can handle its rejection.
  }
  if (!isReplaced) return;
  if (own === undefined) deleteProperty(promise, "constructor");
  else defineProperty(promise, "constructor", own);
}

/** Breadth first, so that near promises are handled before deep ones. */
function hearAll(top: object): void {
  const seen = new Set<object>();
  seen.add(top);
  let level: object[] = [top];
  for (let depth = 0; level.length > 0; depth++) {
    const next: object[] = [];
    const add = (value: unknown): void => {
      if (!isObject(value) || seen.size === maxValues || seen.has(value)) return;
      seen.add(value);
      next[next.length] = value;
    };
    for (let at = 0; at < level.length; at++) {
      const value = level[at] as object;
      if (isPromise(value)) hearPromise(value);
      if (depth < maxDepth && !isProxy(value)) addContent(value, add);
    }
    level = next;
  }
}

function addContent(value: object, add: (part: unknown) => void): void {
  if (isMap(value)) {
    apply(forEachOfMap, value, [
      (part: unknown, key: unknown) => {
        add(key);
        add(part);
      },
    ]);
  } else if (isSet(value)) apply(forEachOfSet, value, [add]);
  // Bytes contain only numbers, each of them a property.
  else if (isView(value)) return;
  // Avoid a list of all keys of a long list.
  if (isArray(value) && value.length > maxValues) {
    for (let at = 0; at < maxValues; at++) add(getOwnPropertyDescriptor(value, at)?.value);
    return;
  }
  const isError = isNativeError(value);
  let looked = 0;
  const keys = ownKeys(value);
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as PropertyKey;
    // Formatting a stack may run user code.
    if (isError && key === "stack") continue;
    if (++looked > maxValues) return;
    add(getOwnPropertyDescriptor(value, key)?.value);
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
