/**
 * Built-ins as they were when this module was first imported: on a thread before any module of the user's, which may
 * replace them. The answers of gen-api depend on these, not on replacements. For the same reason code on a thread uses
 * no iterator of a list, Map or Set, as spreads and `for…of` do: those are looked up in prototypes each time.
 */
export const builtIns = {
  stringify: JSON.stringify,
  parse: JSON.parse,
  isArray: Array.isArray,
  isFinite: Number.isFinite,
  byteLength: Buffer.byteLength,
  now: performance.now.bind(performance),
  runInMicrotask: queueMicrotask,
  setImmediate,
  setTimeout,
  AbortController,
  apply: Reflect.apply,
  forEachOfMap: Map.prototype.forEach,
  getPrototypeOf: Reflect.getPrototypeOf,
  hasOwn: Object.hasOwn,
} as const;
