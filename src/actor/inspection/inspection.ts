import type { Redact } from "./plain-data.ts";

// The parts of XState's inspection that hosts see, typed by this package alone: XState's own types do not compile under
// a host's `exactOptionalPropertyTypes`. A test checks that XState's inspectors accept these.

/** The kind of an actor. */
export type Behaviour = "supervisor" | "dynamic_supervisor" | "gen_server" | "resource" | "machine" | "actor";

/** An actor as an inspector sees it: plain data instead of the actor itself. It can be kept, logged and serialised. */
export interface InspectedActor {
  /** Unique among its siblings. */
  readonly id: string;
  /** Unique in its process; a restarted actor has a new one. */
  readonly sessionId: string;
  /** Its place in the tree: the ids from the root to itself, `gen_api/connections/…`. */
  readonly path: string;
  /** What kind of actor it is. */
  readonly behaviour: Behaviour;
  /** The name it is registered under. */
  readonly name: string | null;
  /** Its parent, by the name under which XState's own inspectors look for it. */
  readonly _parent: InspectedActor | undefined;
  /** The place where XState's own inspectors look for a machine's definition. */
  readonly logic: { readonly config: unknown };
  /** The actor's current snapshot. */
  getSnapshot(): InspectedSnapshot;
  /**
   * Not available: inspectors only look.
   * @throws GenApiError `invalid_request`
   */
  send(): never;
  /** The actor's identity, without its snapshot. */
  toJSON(): object;
}

/** An actor's snapshot as an inspector sees it: plain, bounded data without the actor's private state. */
export type InspectedSnapshot = (
  | { readonly status: "active" | "done" | "stopped"; readonly output: undefined; readonly error: undefined }
  | { readonly status: "error"; readonly output: undefined; readonly error: unknown }
) & {
  /** The state of a machine. */
  readonly value?: unknown;
  /** The part of its state that the actor shows. */
  readonly context: Readonly<Record<string, unknown>>;
  /** How it ended: `normal`, `shutdown` (asked to stop), `killed` (stopped without asking) or `crashed`. */
  readonly exit?: "normal" | "shutdown" | "killed" | "crashed";
};

/** A message to an actor, as an inspector sees it: its type, its subject, and the error it carries. */
export interface InspectedMessage {
  /** For example `gen_server.call` or `xstate.error.actor.listener`. */
  readonly type: string;
  readonly [detail: string]: unknown;
}

/** An XState inspection event, with an {@link InspectedActor} in the place of each actor, and plain data. */
export type InspectedEvent = {
  /** The session id of the tree's root. */
  readonly rootId: string;
  /** The actor that the event is about. */
  readonly actorRef: InspectedActor;
} & (
  | {
      /** An actor was created. */
      readonly type: "@xstate.actor";
    }
  | {
      /** An actor receives a message. */
      readonly type: "@xstate.event";
      readonly event: InspectedMessage;
      /** The sender; undefined: a sender outside the tree. */
      readonly sourceRef: InspectedActor | undefined;
    }
  | {
      /** The actor handled a message, or ended. */
      readonly type: "@xstate.snapshot" | "@xstate.transition";
      readonly event: InspectedMessage;
      readonly snapshot: InspectedSnapshot;
    }
  | {
      /** A single step of a machine's transition. */
      readonly type: "@xstate.microstep";
      readonly event: InspectedMessage;
      readonly snapshot: InspectedSnapshot;
      /** Always empty. */
      readonly _transitions: never[];
    }
  | {
      /** A machine runs an action. */
      readonly type: "@xstate.action";
      readonly action: { readonly type: string; readonly params: undefined };
    }
);

/** Observes the actors of a system: any XState inspection observer, or a function. */
export type InspectionObserver =
  | ((event: InspectedEvent) => void)
  | {
      /** Receives each event. */
      next?(event: InspectedEvent): void;
      /** Receives, once, the error that `next` or a filter threw; nothing comes after it. */
      error?(error: unknown): void;
    };

/** An observer, and which events reach it. */
export interface Inspection {
  /** Receives the events. */
  readonly observer: InspectionObserver;
  /**
   * Decides whether an inspection event about `actor` reaches the observer. It runs before any work is done for the
   * event.
   *
   * @param event the type of the message that the actor handles or handled; null where there is none
   * @default every event does
   */
  filter?(actor: InspectedActor, type: InspectedEvent["type"], event: string | null): boolean;
  /**
   * Has the last word on each field that actors and events show: return `undefined` to leave it out, or another value
   * to replace it. Credentials, arguments and results are never shown in the first place.
   *
   * @default every field stays as it is
   */
  redact?: Redact;
}
