import type { RestartType, Shutdown } from "../actor/supervisor/policy.ts";
import { checkSpec } from "./checks/specs.ts";
import type { AnyLogic, InputOf, RefOf, SupervisorLogic } from "./logic.ts";

/** A child spec, whatever its logic: what lists of children hold. */
interface AnySpec {
  /**
   * Unique among the supervisor's children; not a whole number such as "12", which JavaScript would sort before all
   * others.
   */
  readonly id: string;
  /** What the child does. */
  readonly logic: AnyLogic;
  /** What the child is started with, at every restart the same. */
  readonly input?: unknown;
  /** Registered in the system while the child lives; `whereis(name)` finds it. @default none */
  readonly name?: string;
  /**
   * `permanent`: started again whenever it ends; `transient`: after a crash or a kill only; `temporary`: never.
   * @default "permanent"
   */
  readonly restart?: RestartType;
  /**
   * How long it may take to end when it is asked to, milliseconds; then it is stopped at once. `brutal_kill` does not
   * ask.
   * @default 5000 for a worker, "infinity" for a supervisor
   */
  readonly shutdown?: Shutdown;
  /**
   * Whether its end matters to a supervisor with `autoShutdown`. Only its end by itself counts, when it is not started
   * again: it must be `transient` or `temporary`.
   * @default false
   */
  readonly significant?: boolean;
  /** @default "supervisor" for the logic of a supervisor, else "worker" */
  readonly type?: "worker" | "supervisor";
}

/**
 * How a supervisor starts, restarts and stops a child (`Supervisor.child_spec`).
 *
 * @example
 * const spec: ChildSpec<typeof cache> = { id: "stock", name: "stock", logic: cache, restart: "transient" };
 * await startChild(system.root, spec);
 */
export type ChildSpec<Made extends AnyLogic = AnyLogic, Name extends string = string> = Omit<
  AnySpec,
  "logic" | "input" | "name"
> & {
  /** What the child does. */
  readonly logic: Made;
  /** Registered in the system while the child lives; `whereis(name)` finds it. @default none */
  readonly name?: Name;
} & (undefined extends InputOf<Made>
    ? {
        /** What the child is started with, at every restart the same. */
        readonly input?: InputOf<Made>;
      }
    : [InputOf<Made>] extends [never]
      ? {
          /** What the child is started with, at every restart the same. */
          readonly input?: unknown;
        }
      : {
          /** What the child is started with, at every restart the same. */
          readonly input: InputOf<Made>;
        });

/**
 * A spec whose input is checked against its logic, by the compiler, and whose fields are checked at once. Lists of
 * children take plain objects too; only the compiler's check of their inputs is missing there.
 *
 * @throws GenApiError `invalid_option` that names every wrong field, what is allowed and what came
 * @example
 * const children = [childSpec({ id: "counter", name: "counter", logic: counter, input: 40 })];
 * startSystem({ name: "shop", children });
 */
export function childSpec<Made extends AnyLogic, const Name extends string = never>(
  spec: ChildSpec<Made, Name>,
): ChildSpec<Made, Name> {
  checkSpec("childSpec", spec);
  return spec;
}

/** The actors that the children register, and those below them, by name. */
export type NamesIn<Specs extends readonly AnySpec[]> = Flat<AllOf<Specs[number]>>;

// Each as a function's argument: of those the compiler makes the intersection.
type AllOf<Spec> = (Spec extends unknown ? (names: NamesOf<Spec>) => void : never) extends (all: infer All) => void
  ? All
  : never;
type NamesOf<Spec> = Spec extends { readonly logic: infer Made extends AnyLogic }
  ? OwnName<Spec, Made> & NamesBelow<Made>
  : never;
type OwnName<Spec, Made extends AnyLogic> = Spec extends { readonly name?: infer Name }
  ? string extends Name
    ? unknown
    : { readonly [Each in Name & string]: RefOf<Made> }
  : unknown;
type NamesBelow<Made> = Made extends SupervisorLogic<infer Names> ? Names : unknown;
type Flat<Names> = { readonly [Name in keyof Names]: Names[Name] };

/** What lists of children take. */
export type { AnySpec };
