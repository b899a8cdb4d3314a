import type { AnyActorRef, InspectionEvent } from "xstate";
import { describe, libraryError, toError } from "../core/errors.ts";
import { isThenable } from "../core/within.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { ActorView, snapshotOf } from "./inspected-actor.ts";
import { inspectedEvent } from "./inspected-event.ts";
import type { InspectedActor, InspectedEvent, Inspection, InspectionObserver } from "./inspection.ts";
import { plainData } from "./plain-data.ts";

const failed = telemetryEvent("inspection.observer.exception");

/** Whether `value` can watch actors. */
export function isInspection(value: unknown): value is Inspection | InspectionObserver {
  if (isObserver(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  const { observer, filter, redact } = value as Partial<Record<keyof Inspection, unknown>>;
  return isObserver(observer) && isOptionalFunction(filter) && isOptionalFunction(redact);
}

/** What {@link isInspection} takes, for messages. */
export const inspectionShape = "a function, an observer with next, or {observer, filter, redact}";

/**
 * Lets an observer watch every actor of a system: first those that live, each below its parent, then all that happens.
 * It harms nothing: one that throws, or whose filter does, is detached and told so by its `error`, once. A promise
 * that rejects is a throw, and a filter's promise is no answer.
 *
 * @returns how to detach it
 * @throws GenApiError `invalid_option`
 */
export function attach(root: AnyActorRef, inspection: Inspection | InspectionObserver): () => void {
  if (!isInspection(inspection)) {
    throw libraryError("invalid_option", `inspect must be given ${inspectionShape}, got ${describe(inspection)}`);
  }
  const inspector = new Inspector("observer" in inspection ? inspection : { observer: inspection });
  const subscription = root.system.inspect(inspector);
  inspector.onDetach = () => subscription.unsubscribe();
  inspector.tellLiving(root, root.sessionId);
  return () => inspector.detach();
}

/** Stands between XState, which fails the actor that is inspected when its inspector throws, and one observer. */
class Inspector {
  onDetach: (() => void) | undefined;
  readonly #inspection: Inspection;
  readonly #actors = new WeakMap<AnyActorRef, ActorView>();
  /** Actors whose end was told. */
  readonly #ended = new WeakSet<AnyActorRef>();
  #isDetached = false;

  constructor(inspection: Inspection) {
    this.#inspection = inspection;
  }

  detach(): void {
    this.#isDetached = true;
    this.onDetach?.();
  }

  next(event: InspectionEvent): void {
    const ref = event.actorRef as AnyActorRef;
    if (event.type === "@xstate.snapshot" && event.snapshot.status !== "active") {
      if (this.#ended.has(ref)) return;
      this.#ended.add(ref);
    }
    if (event.type === "@xstate.event") this.#tellCrash(event.sourceRef as AnyActorRef | undefined, event.rootId);
    this.#tell(event);
  }

  /** Tells of `ref` and those below it, as if they had just been made. */
  tellLiving(ref: AnyActorRef, rootId: string): void {
    this.#tell({ type: "@xstate.actor", actorRef: ref, rootId });
    const snapshot = snapshotOf(ref) as { children?: Record<string, AnyActorRef> } | undefined;
    for (const child of Object.values(snapshot?.children ?? {})) {
      if (snapshotOf(child)?.status === "active") this.tellLiving(child, rootId);
    }
  }

  /**
   * An actor that fails at its start has no snapshot told by XState, and one that fails later only after its parent has
   * handled that: its end is told here, when it tells its parent of it.
   */
  #tellCrash(source: AnyActorRef | undefined, rootId: string): void {
    if (source === undefined || this.#ended.has(source)) return;
    const snapshot = snapshotOf(source);
    if (snapshot?.status !== "error") return;
    this.#ended.add(source);
    const event = { type: `xstate.error.actor.${source.id}`, actorId: source.id, error: snapshot.error };
    this.#tell({ type: "@xstate.snapshot", actorRef: source, rootId, event, snapshot });
  }

  #tell(event: InspectionEvent): void {
    if (this.#isDetached) return;
    try {
      const { observer } = this.#inspection;
      const actor = this.#actorFor(event.actorRef as AnyActorRef);
      if (!this.#isWanted(event, actor)) return;
      const shown = this.#show(event, actor);
      const result: unknown = typeof observer === "function" ? observer(shown) : observer.next?.(shown);
      if (isThenable(result)) result.then(undefined, this.#fail);
    } catch (error) {
      this.#fail(error);
    }
  }

  #isWanted(event: InspectionEvent, actor: InspectedActor): boolean {
    if (this.#inspection.filter === undefined) return true;
    const about = "event" in event ? event.event.type : null;
    const decision: unknown = this.#inspection.filter(actor, event.type, about);
    if (!isThenable(decision)) return Boolean(decision);
    // By the time that it is true, the event is over.
    const late = () => this.#fail(libraryError("invalid_option", "filter must return true or false, got a promise"));
    decision.then(late, this.#fail);
    return false;
  }

  #show(event: InspectionEvent, actor: ActorView): InspectedEvent {
    const { redact } = this.#inspection;
    const { type, rootId } = event;
    const head = { type, rootId, actorRef: actor };
    switch (event.type) {
      case "@xstate.actor":
        return head as InspectedEvent;
      case "@xstate.event": {
        const sourceRef = event.sourceRef === undefined ? undefined : this.#actorFor(event.sourceRef as AnyActorRef);
        return { ...head, sourceRef, event: inspectedEvent(event.event, redact) } as InspectedEvent;
      }
      case "@xstate.action":
        return {
          ...head,
          action: { type: plainData("type", event.action.type, redact), params: undefined },
        } as InspectedEvent;
      default: {
        const shown = { ...head, event: inspectedEvent(event.event, redact), snapshot: actor.show(event.snapshot) };
        return ("_transitions" in event ? { ...shown, _transitions: [] } : shown) as InspectedEvent;
      }
    }
  }

  #actorFor(ref: AnyActorRef): ActorView {
    const known = this.#actors.get(ref);
    if (known !== undefined) return known;
    const parent = ref._parent === undefined ? undefined : this.#actorFor(ref._parent);
    const actor = new ActorView(ref, parent, this.#inspection.redact);
    this.#actors.set(ref, actor);
    return actor;
  }

  /** Tells the observer, and telemetry: a function has no other way to hear of it. */
  readonly #fail = (thrown: unknown): void => {
    if (this.#isDetached) return;
    this.detach();
    report(thrown);
    const { observer } = this.#inspection;
    if (typeof observer === "function") return;
    try {
      const result: unknown = observer.error?.(thrown);
      if (isThenable(result)) result.then(undefined, report);
    } catch (again) {
      report(again);
    }
  };
}

function report(thrown: unknown): void {
  failed.emit({ count: 1 }, { error: toError(thrown) });
}

function isObserver(value: unknown): value is InspectionObserver {
  return typeof value === "function" || typeof (value as { next?: unknown } | null | undefined)?.next === "function";
}

function isOptionalFunction(value: unknown): boolean {
  return value === undefined || typeof value === "function";
}
