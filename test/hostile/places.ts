/** A name, the request type that leads there, what is answered, and what the request says beside its behaviour. */
type Place = readonly [name: string, requestType: string, kind: "call" | "stream" | "none", spec?: object];

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
  ...["called", "next", "chunk", "generated", "finished", "ending", "written", "last", "failed"].flatMap((phase): Place[] => [
    [`a stream on a thread, ${phase}`, "thread_stream", "stream", { phase }],
    [`a stream on the main thread, ${phase}`, "main_stream", "stream", { phase }],
    [`a stream of a node, ${phase}`, "node_stream", "stream", { phase }],
  ]),
];

/** Where a gateway runs code of the user's that no request leads to. */
export const otherPlaces = ["logger", "handler", "observer", "filter", "redact", "clock", "tracer", "span"];
