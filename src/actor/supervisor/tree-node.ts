/** `restarting`: its start failed and is tried again. */
export type ChildStatus = "running" | "restarting" | "stopped";

/** An actor and its descendants, as plain data. */
export interface TreeNode {
  /** Unique among its siblings. */
  readonly id: string;
  /** The name it is registered under. */
  readonly name: string | null;
  /** Whether it has children to supervise. */
  readonly type: "worker" | "supervisor";
  /** Its current status. */
  readonly status: ChildStatus;
  /** How often its supervisor has restarted it. */
  readonly restarts: number;
  /** Its children, in the order in which they start. */
  readonly children: readonly TreeNode[];
}

/** An actor that its supervisor has had to restart. */
export interface RestartedActor {
  /** Unique among its siblings. */
  readonly id: string;
  /** How it does. */
  readonly status: ChildStatus;
  /** How often it was started again. */
  readonly restarts: number;
  /** Time of its last restart, milliseconds since 1970; null until the first restart succeeds. */
  readonly restartedAt: number | null;
}
