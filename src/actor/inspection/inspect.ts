import type { AnyActorRef, InspectionEvent } from "xstate";
import { holds } from "../../core/argument.ts";
import { describe, libraryError, toError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { isThenable, settle, whenRejected } from "../../core/foreign/thenable.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { contextOf } from "../lifecycle/system-context.ts";
import { ActorView, snapshotOf } from "./inspected-actor.ts";
import { inspectedEvent } from "./inspected-event.ts";
import type {
  InspectedActor,
  InspectedEvent,
  InspectedSnapshot,
  Inspection,
  InspectionObserver,
} from "./inspection.ts";
import { plainData } from "./plain-data.ts";
import { StatusWatch } from "./status-watch.ts";

const failed = telemetryEvent("inspection.observer.exception");

/** Whether `value` can observe actors. */
export function isInspection(value: unknown): value is Inspection | InspectionObserver {
  return holds(isReadableInspection, value);
}

function isReadableInspection(value: unknown): boolean {
  if (isObserver(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  const { observer, filter, redact } = value as Partial<Record<keyof Inspection, unknown>>;
  return isObserver(observer) && isOptionalFunction(filter) && isOptionalFunction(redact);
}

/** What {@link isInspection} accepts, for messages. */
export const inspectionShape = "a function, an observer with next, or {observer, filter, redact}";

/**
 * Lets an observer watch every actor of a system: first the existing ones, each after its parent, then every event. It
 * can do no harm: if the observer or its filter throws, it is detached and its `error` is called once. A rejected
 * promise counts as a throw; a promise is not a valid result of a filter.
 *
 * @returns a function that detaches it
 * @throws GenApiError `invalid_option`
 */
export function attach(root: AnyActorRef, inspection: Inspection | InspectionObserver): () => void {
  if (!isInspection(inspection)) {
    throw libraryError("invalid_option", `inspect must be given ${inspectionShape}, got ${describe(inspection)}`);
  }
  const isObserverItself = typeof inspection === "function" || !("observer" in inspection);
  const inspector = new Inspector(isObserverItself ? { observer: inspection } : inspection);
  const subscription = root.system.inspect(inspector);
  const watch = new StatusWatch(root, contextOf(root).clock, (ref) => inspector.look(ref, root.sessionId));
  inspector.onDetach = () => {
    subscription.unsubscribe();
    watch.stop();
  };
  inspector.onEnd = (ref) => {
    if (ref === root) watch.stop();
  };
  inspector.tellLiving(root, root.sessionId);
  return () => inspector.detach();
}

/** Stands between one observer and XState, which would fail the inspected actor when its inspector throws. */
class Inspector {
  onDetach: (() => void) | undefined;
  onEnd: ((ref: AnyActorRef) => void) | undefined;
  readonly #inspection: Inspection;
  readonly #actors = new WeakMap<AnyActorRef, ActorView>();
  /** Actors whose end was reported. */
  readonly #ended = new WeakSet<AnyActorRef>();
  /** The status last shown of each living actor. */
  readonly #shown = new WeakMap<AnyActorRef, InspectedSnapshot["context"]>();
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
      this.onEnd?.(ref);
    }
    if (event.type === "@xstate.event") this.#tellCrash(event.sourceRef as AnyActorRef | undefined, event.rootId);
    this.#tell(event);
  }

  /** Reports `ref` and its descendants as if they had just been created. */
  tellLiving(ref: AnyActorRef, rootId: string): void {
    this.#tell({ type: "@xstate.actor", actorRef: ref, rootId });
    const snapshot = snapshotOf(ref) as { children?: Record<string, AnyActorRef> } | undefined;
    for (const child of Object.values(snapshot?.children ?? {})) {
      if (snapshotOf(child)?.status === "active") this.tellLiving(child, rootId);
    }
  }

  /** Reports an actor whose status differs from the one last shown: it changed without an event. */
  look(ref: AnyActorRef, rootId: string): void {
    const snapshot = snapshotOf(ref);
    if (snapshot?.status !== "active") return;
    const event = {
      type: "@xstate.snapshot",
      actorRef: ref,
      rootId,
      event: { type: "actor.status" },
      snapshot,
    } as const;
    try {
      const actor = this.#actorFor(ref);
      if (!this.#isWanted(event, actor)) return;
      const before = this.#shown.get(ref) ?? {};
      if (JSON.stringify(before) === JSON.stringify(actor.show(snapshot).context)) return;
    } catch (error) {
      this.#fail(error);
    }
    this.#tell(event);
  }

  /**
   * XState reports no snapshot of an actor that fails at its start, and that of a later failure only after the parent
   * has handled it: the end is reported here, when the parent receives it.
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
      if (isThenable(result)) whenRejected(result, this.#fail);
      else hearPromises(result);
    } catch (error) {
      this.#fail(error);
    }
  }

  #isWanted(event: InspectionEvent, actor: InspectedActor): boolean {
    if (this.#inspection.filter === undefined) return true;
    const about = "event" in event ? event.event.type : null;
    const decision: unknown = this.#inspection.filter(actor, event.type, about);
    if (!isThenable(decision)) {
      hearPromises(decision);
      return Boolean(decision);
    }
    // When it resolves to true, the event is over.
    const late = (value: unknown) => {
      hearPromises(value);
      this.#fail(libraryError("invalid_option", "filter must return true or false, got a promise"));
    };
    settle(decision, late, this.#fail);
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
        const snapshot = actor.show(event.snapshot);
        this.#shown.set(event.actorRef as AnyActorRef, snapshot.context);
        const shown = { ...head, event: inspectedEvent(event.event, redact), snapshot };
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

  /** Notifies the observer, and telemetry: a function has no other way to learn of it. */
  readonly #fail = (thrown: unknown): void => {
    hearPromises(thrown);
    if (this.#isDetached) return;
    this.detach();
    report(thrown);
    const { observer } = this.#inspection;
    if (typeof observer === "function") return;
    try {
      const result: unknown = observer.error?.(thrown);
      if (isThenable(result)) whenRejected(result, report);
      else hearPromises(result);
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
