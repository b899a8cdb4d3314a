import { type ActorRefLike, type AnyActorRef, type Snapshot, StateMachine } from "xstate";
import { libraryError } from "../core/errors.ts";
import { exitOf } from "./exit.ts";
import type { Behaviour, Inspectable } from "./format-status.ts";
import { plainData, type Redact } from "./plain-data.ts";

/** What an inspector sees of an actor's snapshot: plain data, bounded, without what the actor keeps to itself. */
export type InspectedSnapshot = Snapshot<unknown> & {
  /** The state of a machine. */
  readonly value?: unknown;
  /** What the actor says of itself. */
  readonly context: Readonly<Record<string, unknown>>;
  /** How it ended: `normal`, `shutdown` (it was asked to), `killed` (it was stopped unasked) or `crashed`. */
  readonly exit?: "normal" | "shutdown" | "killed" | "crashed";
};

const actors = new WeakMap<object, AnyActorRef>();

/**
 * An actor as an inspector sees it, in the place of the actor itself: who it is and what it says of itself. It can be
 * kept, logged and serialised.
 */
export class InspectedActor implements ActorRefLike {
  /** Unique among its siblings. */
  readonly id: string;
  /** Unique in its process; a restarted actor has a new one. */
  readonly sessionId: string;
  /** Its place in the tree: the ids from the root to itself, `gen_api/connections/…`. */
  readonly path: string;
  readonly behaviour: Behaviour;
  /** The name it is registered under. */
  readonly name: string | null;
  readonly #ref: AnyActorRef;
  readonly #parent: InspectedActor | undefined;
  readonly #redact: Redact | undefined;

  constructor(ref: AnyActorRef, parent: InspectedActor | undefined, redact: Redact | undefined) {
    this.id = String(plainData("id", ref.id, redact));
    this.sessionId = ref.sessionId;
    this.path = parent === undefined ? this.id : `${parent.path}/${this.id}`;
    this.behaviour = behaviourOf(ref);
    // XState sets its `systemId` only after it has told inspectors of the actor.
    this.name = (ref as { options?: { systemId?: string } }).options?.systemId ?? null;
    this.#ref = ref;
    this.#parent = parent;
    this.#redact = redact;
    actors.set(this, ref);
  }

  /** Its parent, by the name under which XState's own inspectors look for it. */
  get _parent(): InspectedActor | undefined {
    return this.#parent;
  }

  /** Where XState's own inspectors look for a machine's definition. */
  get logic(): { readonly config: unknown } {
    const { logic } = this.#ref as unknown as { logic: { config: unknown } };
    return { config: this.behaviour === "machine" ? logic.config : { id: this.id, description: this.behaviour } };
  }

  /** What it says of itself now. */
  getSnapshot(): InspectedSnapshot {
    return this.show(snapshotOf(this.#ref));
  }

  /** @internal What is shown of one of its snapshots; undefined before its init has run. */
  show(snapshot: Snapshot<unknown> | undefined): InspectedSnapshot {
    const { status = "active", error } = snapshot ?? {};
    const shown = { status, output: undefined, error: plainData("error", error, this.#redact) };
    const context = this.#contextOf(snapshot);
    const { value } = (snapshot ?? {}) as { value?: unknown };
    const exit = status === "active" ? undefined : exitOf(this.#ref);
    return {
      ...shown,
      ...(this.behaviour === "machine" && value !== undefined
        ? { value: plainData("value", value, this.#redact) }
        : {}),
      context,
      ...(exit === undefined ? {} : { exit: typeof exit === "object" ? "crashed" : exit }),
    } as InspectedSnapshot;
  }

  /** Inspectors look; they do not touch. @throws GenApiError `invalid_request` */
  send(): never {
    throw libraryError("invalid_request", `Nothing can be sent to "${this.path}": it is being inspected`);
  }

  toJSON(): object {
    const { id, sessionId, path, behaviour, name } = this;
    return { id, sessionId, path, behaviour, name };
  }

  // Whoever holds this actor may ask from anywhere, a timer say, where a throw would end the process.
  #contextOf(snapshot: Snapshot<unknown> | undefined): Readonly<Record<string, unknown>> {
    if (snapshot === undefined) return {};
    try {
      const { logic } = this.#ref as unknown as { logic: Inspectable };
      const shown = plainData("context", logic.formatStatus?.(snapshot as never) ?? {}, this.#redact);
      return typeof shown === "object" && shown !== null ? (shown as Record<string, unknown>) : {};
    } catch (error) {
      // What failed in its init has nothing to tell of.
      return snapshot.status === "error" ? {} : { unreadable: plainData("unreadable", error, this.#redact) };
    }
  }
}

/** The snapshot of an actor, if its init has run: where it has not, XState's development build throws. */
export function snapshotOf(ref: AnyActorRef): Snapshot<unknown> | undefined {
  try {
    return ref.getSnapshot() as Snapshot<unknown> | undefined;
  } catch {
    return undefined;
  }
}

/** The actor that an inspector sees as `inspected`; for tests, which kill what they see. */
export function actorOf(inspected: ActorRefLike): AnyActorRef {
  return actors.get(inspected) as AnyActorRef;
}

function behaviourOf(ref: AnyActorRef): Behaviour {
  const { logic } = ref as unknown as { logic: Inspectable };
  return logic.behaviour ?? (logic instanceof StateMachine ? "machine" : "actor");
}
