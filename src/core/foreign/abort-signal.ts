const { apply } = Reflect;
const { addEventListener, removeEventListener } = EventTarget.prototype;
const readAborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "aborted")?.get as () => boolean;

/** Whether Node made this signal, whatever its prototype chain says. Never throws. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  try {
    apply(readAborted, value, []);
    return true;
  } catch {
    return false;
  }
}

/** The real `aborted`, even if user code replaced the property. */
export function hasAborted(signal: AbortSignal): boolean {
  return apply(readAborted, signal, []);
}

interface Listeners {
  readonly all: Set<() => void>;
  tell(): void;
}

// One listener on each signal, however many listen: Node warns of a leak where there are more than ten.
const listenersOf = new WeakMap<AbortSignal, Listeners>();

/** Calls `aborted` once, when the signal aborts. */
export function listen(signal: AbortSignal, aborted: () => void): void {
  const known = listenersOf.get(signal);
  if (known !== undefined) {
    known.all.add(aborted);
    return;
  }
  const all = new Set([aborted]);
  const tell = () => {
    for (const each of all) each();
    listenersOf.delete(signal);
  };
  listenersOf.set(signal, { all, tell });
  apply(addEventListener, signal, ["abort", tell, { once: true }]);
}

/** Ends {@link listen}. */
export function stopListening(signal: AbortSignal, aborted: () => void): void {
  const known = listenersOf.get(signal);
  if (known === undefined || !known.all.delete(aborted) || known.all.size > 0) return;
  listenersOf.delete(signal);
  apply(removeEventListener, signal, ["abort", known.tell]);
}
