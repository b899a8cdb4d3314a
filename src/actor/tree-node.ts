/** `restarting`: its start failed and is tried again. */
export type ChildStatus = "running" | "restarting" | "stopped";

/** An actor and those below it, as plain data. */
export interface TreeNode {
  /** Unique among its siblings. */
  readonly id: string;
  /** The name it is registered under. */
  readonly name: string | null;
  /** Whether it has children to supervise. */
  readonly type: "worker" | "supervisor";
  /** How it does. */
  readonly status: ChildStatus;
  /** How often its supervisor started it again. */
  readonly restarts: number;
  /** Those below it, in the order of their start. */
  readonly children: readonly TreeNode[];
}

/** An actor that its supervisor has had to start again. */
export interface RestartedActor {
  readonly id: string;
  readonly status: ChildStatus;
  readonly restarts: number;
  /** When it last was; milliseconds since 1970, null while it has not been started again yet. */
  readonly restartedAt: number | null;
}
