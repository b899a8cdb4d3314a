import type { TraceContext } from "../core/request-info.ts";
import type { RunningStream, RunningTask, WorkerCall, WorkerStream } from "../worker/worker-call.ts";

/** What a service node is told beside what a thread is. */
interface Traced {
  /** The trace that it belongs to, told to functions without a RequestInfo too: the node may have spans of its own. */
  readonly trace: TraceContext | null;
}

/**
 * A call of a function on a service node. As a thread's, but `module` is a name of the node's `modules`, and what `failed`
 * calls `begun` is false only when the function was certainly not called.
 */
export interface RemoteCall extends WorkerCall, Traced {
  /** Nobody waits for its result: it goes on when the link to its gateway is lost. */
  readonly isCast: boolean;
}

/** A stream from a service node, see {@link RemoteCall}. */
export interface RemoteStream extends WorkerStream, Traced {}

/** A service node as a gateway calls it, or what stands for its functions on the node itself. */
export interface RemoteNode {
  run(call: RemoteCall): RunningTask;
  stream(stream: RemoteStream): RunningStream;
}
