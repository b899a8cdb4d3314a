// Systems and supervisors

export type { Closed } from "./actor/closed.ts";
export type { AutoShutdown, Intensity, RestartType, Shutdown, Strategy } from "./actor/supervisor/policy.ts";
export type { ChildStatus, RestartedActor, TreeNode } from "./actor/supervisor/tree-node.ts";
export { type ChildSpec, childSpec } from "./otp/child-spec.ts";
export { whereis } from "./otp/process-names.ts";
export {
  type ChildCounts,
  type ChildInfo,
  countChildren,
  type DynamicSupervisorOptions,
  deleteChild,
  fromDynamicSupervisor,
  fromSupervisor,
  type RequestOptions,
  restartChild,
  type SupervisorOptions,
  startChild,
  terminateChild,
  whichChildren,
} from "./otp/supervisor.ts";
export { type System, type SystemOptions, startSystem } from "./otp/system.ts";

// Actors

export { type From, reply } from "./actor/gen-server/from.ts";
export { noReply, type RefusedCall, refuse, type Stop, stop } from "./actor/gen-server/handler-result.ts";
export type { CallOptions } from "./actor/gen-server/handler-types.ts";
export type { ExitReason } from "./actor/lifecycle/exit-reason.ts";
export { type ActorRef, exitOf, isAlive, kill, send } from "./otp/actor-ref.ts";
export {
  call,
  cast,
  fromGenServer,
  type GenServerLogic,
  type GenServerOptions,
  type GenServerRef,
  type GenServerRefFrom,
  type Server,
} from "./otp/gen-server.ts";
export type {
  AnyLogic,
  InputOf,
  Logic,
  MachineRef,
  RefOf,
  SupervisorLogic,
  SupervisorRef,
  XStateLogic,
} from "./otp/logic.ts";
export { fromResource, type Resource, type ResourceLogic, type ResourceScope } from "./otp/resource.ts";

// Monitors, registries, tasks

export { type Down, demonitor, type Monitor, monitor } from "./otp/monitor.ts";
export { createRegistry, type Registry, type RegistryEntry } from "./otp/registry.ts";
export type { AsyncStreamOptions } from "./otp/task/async-stream.ts";
export { Task } from "./otp/task/task.ts";
export type { TaskOptions, TaskScope } from "./otp/task/task-options.ts";

// Errors, time, looking in

export type { Status } from "./actor/inspection/format-status.ts";
export type {
  Behaviour,
  InspectedActor,
  InspectedEvent,
  InspectedMessage,
  InspectedSnapshot,
  Inspection,
  InspectionObserver,
} from "./actor/inspection/inspection.ts";
export type { Redact } from "./actor/inspection/plain-data.ts";
export { type ErrorCode, GenApiError, type GenApiErrorOptions, isGenApiError } from "./core/errors.ts";
export { type Clock, systemClock } from "./core/time/clock.ts";
