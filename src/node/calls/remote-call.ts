import type { TraceContext } from "../../core/request-info.ts";
import type { RunningStream, RunningTask, WorkerCall, WorkerStream } from "../../execution/worker-call.ts";

/** What a service node gets in addition to what a thread gets. */
interface Traced {
  /** The trace of the call, sent even for functions without a RequestInfo: the node may have spans of its own. */
  readonly trace: TraceContext | null;
}

/**
 * A call of a function on a service node. Like that of a thread, except that `module` is a name of the node's
 * `modules`, and `begun` of `failed` is false only if the function was certainly not called.
 */
export interface RemoteCall extends WorkerCall, Traced {
  /** No caller waits for its result: it continues when the link to its gateway is lost. */
  readonly isCast: boolean;
}

/** A stream from a service node, see {@link RemoteCall}. */
export interface RemoteStream extends WorkerStream, Traced {}

/** A service node as a gateway calls it, or the executor of its functions on the node itself. */
export interface RemoteNode {
  run(call: RemoteCall): RunningTask;
  stream(stream: RemoteStream): RunningStream;
}
