import * as dynamic from "../actor/supervisor/dynamic-supervisor.ts";
import type { AutoShutdown, Intensity, Strategy } from "../actor/supervisor/policy.ts";
import * as fixed from "../actor/supervisor/supervisor.ts";
import * as requests from "../actor/supervisor/supervisor-requests.ts";
import type { ChildStatus } from "../actor/supervisor/tree-node.ts";
import { isText, mustTake } from "../core/argument.ts";
import type { ActorRef } from "./actor-ref.ts";
import { livingSupervisor, refTo, supervisorOf } from "./checks/actors.ts";
import { checkOptions, count, fields, millisecondsOrInfinity, optional } from "./checks/faults.ts";
import { checkSpec, checkSpecs, supervisorFields } from "./checks/specs.ts";
import type { AnySpec, ChildSpec, NamesIn } from "./child-spec.ts";
import type { AnyLogic, RefOf, SupervisorLogic, SupervisorRef } from "./logic.ts";

/**
 * What a supervisor starts, and what it does when a child ends.
 *
 * @example
 * const options: SupervisorOptions = { strategy: "rest_for_one", children: [{ id: "cache", logic: cache }] };
 * fromSupervisor(options);
 */
export interface SupervisorOptions<Specs extends readonly AnySpec[] = readonly AnySpec[]> {
  /**
   * Who is started again when one child is: it alone, all children (`one_for_all`), or it and those that were started
   * after it (`rest_for_one`).
   * @default "one_for_one"
   */
  readonly strategy?: Strategy;
  /** So many restarts in so long; one more ends the supervisor. @default three restarts within 5000 ms */
  readonly intensity?: Intensity;
  /**
   * Ends the supervisor, as when it is asked to, after the end of one significant child (`any_significant`) or of all of
   * them (`all_significant`).
   * @default "never"
   */
  readonly autoShutdown?: AutoShutdown;
  /** Started in this order, stopped in the reverse one. */
  readonly children: Specs;
}

/**
 * The limits of a dynamic supervisor.
 *
 * @example
 * const options: DynamicSupervisorOptions = { maxChildren: 1000, intensity: { maxRestarts: 10, withinMs: 1000 } };
 * fromDynamicSupervisor(options);
 */
export interface DynamicSupervisorOptions {
  /** So many restarts in so long; one more ends the supervisor. @default three restarts within 5000 ms */
  readonly intensity?: Intensity;
  /** How many children it may have at once. @default no limit */
  readonly maxChildren?: number;
}

const isSupervisor = fields(supervisorFields);
const isDynamic = fields({ intensity: supervisorFields.intensity, maxChildren: optional(count(1)) });

/**
 * A supervisor (`Supervisor`): it starts its children in order, starts them again when they end, as their specs and its
 * strategy say, and stops them in reverse order. More restarts than its intensity allows end it too, with `max_restarts`,
 * for its own supervisor to handle.
 *
 * @throws GenApiError `invalid_option` for wrong options
 * @example
 * const shop = fromSupervisor({
 *   strategy: "rest_for_one",
 *   children: [
 *     { id: "cache", name: "cache", logic: cache },
 *     { id: "poller", logic: poller }, // started again, too, when the cache is
 *   ],
 * });
 * startSystem({ name: "main", children: [{ id: "shop", logic: shop }] });
 */
export function fromSupervisor<const Specs extends readonly AnySpec[]>(
  options: SupervisorOptions<Specs>,
): SupervisorLogic<NamesIn<Specs>> {
  const checked = checkOptions("fromSupervisor", options, isSupervisor);
  const children = checkSpecs("fromSupervisor", checked);
  return fixed.fromSupervisor({ ...checked, children }) as unknown as SupervisorLogic<NamesIn<Specs>>;
}

/**
 * A supervisor of children that come and go, each on its own (`DynamicSupervisor`): however many there are, starting and
 * stopping one costs the same.
 *
 * @throws GenApiError `invalid_option` for wrong options
 * @example
 * const system = startSystem({
 *   name: "shop",
 *   children: [{ id: "orders", name: "orders", logic: fromDynamicSupervisor({ maxChildren: 1000 }) }],
 * });
 * await startChild(system.whereis("orders"), { id: "order_1", logic: order, restart: "transient" });
 */
export function fromDynamicSupervisor(options: DynamicSupervisorOptions = {}): SupervisorLogic {
  const checked = checkOptions("fromDynamicSupervisor", options, isDynamic);
  return dynamic.fromDynamicSupervisor(checked) as unknown as SupervisorLogic;
}

/**
 * How long a request to a supervisor waits.
 *
 * @example
 * const options: RequestOptions = { timeoutMs: 1000 };
 * await terminateChild(system.root, "poller", options);
 */
export interface RequestOptions {
  /**
   * When the supervisor has not answered by then, because it still stops another child perhaps, the promise rejects; what
   * was asked for is done all the same.
   * @default "infinity", as in OTP
   */
  readonly timeoutMs?: number | "infinity";
}

const requestOptions = fields({ timeoutMs: optional(millisecondsOrInfinity) });

/**
 * Adds a child and starts it (`Supervisor.start_child/2`); its init has run when the promise resolves.
 *
 * @throws GenApiError (as a rejection) `invalid_option` for a wrong spec; `already_started` when the id or name is taken;
 * `unavailable` when a dynamic supervisor has `maxChildren`; `failed` when the child did not start, with its error as
 * cause (the spec is not kept); `noproc` when there is no such supervisor; `timeout`
 * @example
 * const ref = await startChild(system.root, { id: "counter", logic: counter, input: 40 });
 * await call(ref, "add", 2);
 */
export async function startChild<Made extends AnyLogic>(
  supervisor: SupervisorRef | undefined,
  spec: ChildSpec<Made>,
  options?: RequestOptions,
): Promise<RefOf<Made>> {
  const checked = checkSpec("startChild", spec);
  const timeoutMs = timeoutOf("startChild", options);
  return requests.startChild(supervisorOf("startChild", supervisor), checked, timeoutMs) as unknown as RefOf<Made>;
}

/**
 * Stops a child within its shutdown time (`Supervisor.terminate_child/2`). Its spec stays for {@link restartChild}, unless
 * the child is temporary or the supervisor dynamic.
 *
 * @throws GenApiError (as a rejection) `not_found`, `noproc`, `timeout`
 * @example
 * await terminateChild(system.root, "poller");
 */
export async function terminateChild(
  supervisor: SupervisorRef | undefined,
  id: string,
  options?: RequestOptions,
): Promise<void> {
  const timeoutMs = timeoutOf("terminateChild", options);
  return requests.terminateChild(supervisorOf("terminateChild", supervisor), checkId("terminateChild", id), timeoutMs);
}

/**
 * Starts a child that was terminated, or ended by itself (`Supervisor.restart_child/2`). Dynamic supervisors know no such
 * child.
 *
 * @throws GenApiError (as a rejection) `not_found`; `already_started` while it runs or is being restarted; `failed` when
 * it did not start; `noproc`, `timeout`
 * @example
 * await terminateChild(system.root, "poller");
 * await restartChild(system.root, "poller");
 */
export async function restartChild(
  supervisor: SupervisorRef | undefined,
  id: string,
  options?: RequestOptions,
): Promise<ActorRef> {
  const timeoutMs = timeoutOf("restartChild", options);
  const ref = requests.restartChild(supervisorOf("restartChild", supervisor), checkId("restartChild", id), timeoutMs);
  return refTo(await ref);
}

/**
 * Forgets the spec of a child that is not running (`Supervisor.delete_child/2`). Dynamic supervisors know no such child.
 *
 * @throws GenApiError (as a rejection) `not_found`; `already_started` while it runs or is being restarted; `noproc`,
 * `timeout`
 * @example
 * await terminateChild(system.root, "poller");
 * await deleteChild(system.root, "poller");
 */
export async function deleteChild(
  supervisor: SupervisorRef | undefined,
  id: string,
  options?: RequestOptions,
): Promise<void> {
  const timeoutMs = timeoutOf("deleteChild", options);
  return requests.deleteChild(supervisorOf("deleteChild", supervisor), checkId("deleteChild", id), timeoutMs);
}

/**
 * A child as its supervisor sees it.
 *
 * @example
 * const [child]: readonly ChildInfo[] = whichChildren(system.root);
 * child?.status; // "running"
 */
export interface ChildInfo {
  /** The id of its spec. */
  readonly id: string;
  /** The actor; undefined while it is not running. */
  readonly ref: ActorRef | undefined;
  /** How it does. */
  readonly status: ChildStatus;
  /** Whether it has children of its own to supervise. */
  readonly type: "worker" | "supervisor";
  /** How often it was started again. */
  readonly restarts: number;
  /** When it last was; milliseconds since 1970, null if it never was. */
  readonly restartedAt: number | null;
}

/**
 * The children in the order of their start (`Supervisor.which_children/1`), at once and without a message.
 *
 * @throws GenApiError `noproc` when there is no such supervisor
 * @example
 * for (const { id, status, restarts } of whichChildren(system.root)) console.log(id, status, restarts);
 */
export function whichChildren(supervisor: SupervisorRef | undefined): readonly ChildInfo[] {
  return requests
    .whichChildren(livingSupervisor("whichChildren", supervisor))
    .map((child) => ({ ...child, ref: child.ref === undefined ? undefined : refTo<ActorRef>(child.ref) }));
}

/**
 * How many children of which kind there are.
 *
 * @example
 * const { specs, active }: ChildCounts = countChildren(system.root);
 */
export interface ChildCounts {
  /** All of them. */
  readonly specs: number;
  /** Those that run. */
  readonly active: number;
  /** Those that are supervisors. */
  readonly supervisors: number;
  /** Those that are not. */
  readonly workers: number;
}

/**
 * Counts the children (`Supervisor.count_children/1`), at once and without a message.
 *
 * @throws GenApiError `noproc` when there is no such supervisor
 * @example
 * countChildren(system.root); // { specs: 2, active: 2, supervisors: 1, workers: 1 }
 */
export function countChildren(supervisor: SupervisorRef | undefined): ChildCounts {
  return requests.countChildren(livingSupervisor("countChildren", supervisor));
}

function timeoutOf(what: string, options: RequestOptions | undefined): number | "infinity" {
  const checked = options === undefined ? undefined : checkOptions(what, options, requestOptions);
  return checked?.timeoutMs ?? "infinity";
}

function checkId(what: string, id: string): string {
  mustTake(what, "the id of a child", id, isText);
  return id;
}
