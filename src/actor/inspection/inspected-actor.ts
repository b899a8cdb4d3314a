import { type ActorRefLike, type AnyActorRef, type Snapshot, StateMachine } from "xstate";
import { libraryError } from "../../core/errors.ts";
import { exitOf } from "../lifecycle/exit.ts";
import type { Inspectable } from "./format-status.ts";
import type { Behaviour, InspectedActor, InspectedSnapshot } from "./inspection.ts";
import { plainData, type Redact } from "./plain-data.ts";

const actors = new WeakMap<object, AnyActorRef>();

/** An actor as inspectors see it. */
export class ActorView implements InspectedActor, ActorRefLike {
  readonly id: string;
  readonly sessionId: string;
  readonly path: string;
  readonly behaviour: Behaviour;
  readonly name: string | null;
  readonly #ref: AnyActorRef;
  readonly #parent: InspectedActor | undefined;
  readonly #redact: Redact | undefined;

  constructor(ref: AnyActorRef, parent: InspectedActor | undefined, redact: Redact | undefined) {
    this.id = String(plainData("id", ref.id, redact));
    this.sessionId = ref.sessionId;
    this.path = parent === undefined ? this.id : `${parent.path}/${this.id}`;
    this.behaviour = behaviourOf(ref);
    this.name = inspectedNameOf(ref);
    this.#ref = ref;
    this.#parent = parent;
    this.#redact = redact;
    actors.set(this, ref);
  }

  get _parent(): InspectedActor | undefined {
    return this.#parent;
  }

  get logic(): { readonly config: unknown } {
    const { logic } = this.#ref as unknown as { logic: { config: unknown } };
    return { config: this.behaviour === "machine" ? logic.config : { id: this.id, description: this.behaviour } };
  }

  getSnapshot(): InspectedSnapshot {
    return this.show(snapshotOf(this.#ref));
  }

  /** The view of one of its snapshots; undefined before its init has run. */
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

  send(): never {
    throw libraryError("invalid_request", `Nothing can be sent to "${this.path}": it is being inspected`);
  }

  toJSON(): object {
    const { id, sessionId, path, behaviour, name } = this;
    return { id, sessionId, path, behaviour, name };
  }

  // A holder of this actor may call from anywhere, for example a timer, where a throw would end the process.
  #contextOf(snapshot: Snapshot<unknown> | undefined): Readonly<Record<string, unknown>> {
    if (snapshot === undefined) return {};
    try {
      const { logic } = this.#ref as unknown as { logic: Inspectable };
      const shown = plainData("context", logic.formatStatus?.(snapshot as never) ?? {}, this.#redact);
      return typeof shown === "object" && shown !== null ? (shown as Record<string, unknown>) : {};
    } catch (error) {
      // An actor that failed in its init has nothing to show.
      return snapshot.status === "error" ? {} : { unreadable: plainData("unreadable", error, this.#redact) };
    }
  }
}

/** An actor's snapshot, if its init has run: before that, XState's development build throws. */
export function snapshotOf(ref: AnyActorRef): Snapshot<unknown> | undefined {
  try {
    return ref.getSnapshot() as Snapshot<unknown> | undefined;
  } catch {
    return undefined;
  }
}

/** The actor behind `inspected`; for tests, which kill what they see. */
export function actorOf(inspected: ActorRefLike): AnyActorRef {
  return actors.get(inspected) as AnyActorRef;
}

/** An actor's name. While XState reports a new actor, only its options contain it. */
function inspectedNameOf(ref: AnyActorRef): string | null {
  const { systemId, options } = ref as { systemId?: string; options?: { systemId?: string } };
  return systemId ?? options?.systemId ?? null;
}

function behaviourOf(ref: AnyActorRef): Behaviour {
  const { logic } = ref as unknown as { logic: Inspectable };
  return logic.behaviour ?? (logic instanceof StateMachine ? "machine" : "actor");
}
