import { AsyncResource } from "node:async_hooks";

// No user code ever runs in it, so no `enterWith` of a call changes what others start from.
const root = new AsyncResource("gen-api");
const options = { requireManualDestroy: true };

/**
 * As {@link ownContext}, but starting from the current context, at a third of the cost. For the calls of a thread: they
 * start from its port, in whose context no user code runs.
 */
export function contextHere(): AsyncResource {
  return new AsyncResource("gen-api.call", options);
}

/**
 * An async context for one piece of user code: whatever that puts into an AsyncLocalStorage is visible only to code it
 * starts. It always begins with the context in which gen-api was imported.
 */
export function ownContext(): AsyncResource {
  return root.runInAsyncScope(contextHere);
}

/** Calls a user's function in a context of its own. */
export function callInOwnContext<Args extends readonly unknown[], Result>(
  run: (...args: [...Args]) => Result,
  args: Args,
): Result {
  return ownContext().runInAsyncScope<undefined, Result>(run, undefined, ...args);
}
