/**
 * A name, the request type that leads there, what is answered, what the function is told beside its behaviour, and what
 * the request has beside its arguments.
 */
type Place = readonly [
  name: string,
  requestType: string,
  kind: "call" | "stream" | "none" | "event",
  spec?: object,
  asks?: object,
];

const streamPhases = ["called", "next", "chunk", "generated", "finished", "ending", "written", "last", "failed"];
/** What of a call of its own a function may spoil; `callee`: it calls what misbehaves. */
const callPhases = ["callee", "service", "requestType", "args", "options", "signal", "timeoutMs", "streamed"];

// biome-ignore format: one row a line
/** Where a gateway runs code of the user's that a request can reach. */
export const requestPlaces: readonly Place[] = [
  ["a function on a thread", "thread", "call"],
  ["a function on the main thread", "main", "call"],
  ["an async function on a thread", "thread_async", "call"],
  ["an async function on the main thread", "main_async", "call"],
  ["a cast on a thread", "thread_none", "none"],
  ["a cast on the main thread", "main_none", "none"],
  ["a function that is retried", "retried", "call"],
  ["beforeExecute", "before", "call"],
  ["afterExecute", "after", "call"],
  ["afterExecute of a cast", "after_none", "none"],
  ["a permission callback on a thread", "permission_thread", "call"],
  ["a permission callback on the main thread", "permission_main", "call"],
  ["a function on a thread of a node", "node_thread", "call"],
  ["a function on the main thread of a node", "node_main", "call"],
  ["a permission callback on a node", "node_permission", "call"],
  ["a function that an event of its own calls, on a thread", "on_thread", "event"],
  ["a function that an event of its own calls, on the main thread", "on_main", "event"],
  ["a function for callers with a claim", "claimed", "call"],
  ...streamPhases.flatMap((phase): Place[] => [
    [`a stream on a thread, ${phase}`, "thread_stream", "stream", { phase }],
    [`a stream on the main thread, ${phase}`, "main_stream", "stream", { phase }],
    [`a stream of a node, ${phase}`, "node_stream", "stream", { phase }],
  ]),
  ...["chunk", "last"].flatMap((phase): Place[] => [
    [`a stream that outlives its socket, on a thread, ${phase}`, "thread_stream", "stream", { phase }, { window: 8, resume: true }],
    [`a stream that outlives its socket, on the main thread, ${phase}`, "main_stream", "stream", { phase }, { window: 8, resume: true }],
  ]),
  ...callPhases.flatMap((phase): Place[] => [
    [`a call of a function on a thread, ${phase}`, "thread_calls", "call", { phase }],
    [`a call of a function on the main thread, ${phase}`, "main_calls", "call", { phase }],
    [`a call of a function of a node, ${phase}`, "node_calls", "call", { phase }],
  ]),
];

/** Functions whose requests may share one call. */
export const sharedPlaces = ["thread", "main", "node_thread", "after"];

/** What `connect` may spoil; `row`: all of it. */
export const connectPlaces = ["row", "claims", "claim", "userRoles", "field", "refusal"];

/** What `join` may spoil; `all`: all of it. */
export const joinPlaces = ["all", "joined", "claims", "claim", "reply", "refusal"];

/** Where a gateway runs code of the user's that no request leads to. */
export const otherPlaces = [...["logger", "handler", "observer", "filter", "redact", "clock", "tracer", "span"]];

/** What is thrown, by name, where each try costs new threads. */
export const fewBehaviours = [
  "throws undefined",
  "throws a symbol",
  "throws a revoked proxy",
  "throws a proxy of an error whose traps throw",
  "throws an error whose message throws a revoked proxy",
  "throws an error whose stack throws",
  "throws a GenApiError whose message throws",
  "throws an error with a thousand causes",
  "throws a text of 256 KiB",
];
