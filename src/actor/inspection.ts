import type { Redact } from "./plain-data.ts";

// What hosts see of XState's inspection, in types of this package alone: those of XState do not compile under a host's
// `exactOptionalPropertyTypes`. A test holds that XState's inspectors take them.

/** The kind of an actor. */
export type Behaviour = "supervisor" | "dynamic_supervisor" | "gen_server" | "resource" | "machine" | "actor";

/**
 * An actor as an inspector sees it, in the place of the actor itself: who it is and what it says of itself. It can be
 * kept, logged and serialised.
 */
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
  /** Where XState's own inspectors look for a machine's definition. */
  readonly logic: { readonly config: unknown };
  /** What it says of itself now. */
  getSnapshot(): InspectedSnapshot;
  /** Inspectors look; they do not touch. @throws GenApiError `invalid_request` */
  send(): never;
  /** Who it is, without what it says. */
  toJSON(): object;
}

/** What an inspector sees of an actor's snapshot: plain data, bounded, without what the actor keeps to itself. */
export type InspectedSnapshot = (
  | { readonly status: "active" | "done" | "stopped"; readonly output: undefined; readonly error: undefined }
  | { readonly status: "error"; readonly output: undefined; readonly error: unknown }
) & {
  /** The state of a machine. */
  readonly value?: unknown;
  /** What the actor says of itself. */
  readonly context: Readonly<Record<string, unknown>>;
  /** How it ended: `normal`, `shutdown` (it was asked to), `killed` (it was stopped unasked) or `crashed`. */
  readonly exit?: "normal" | "shutdown" | "killed" | "crashed";
};

/** What an actor is told, as an inspector sees it: its type, whom it is about, the error that it tells of. */
export interface InspectedMessage {
  /** Such as `gen_server.call` or `xstate.error.actor.listener`. */
  readonly type: string;
  readonly [detail: string]: unknown;
}

/** An XState inspection event, with an {@link InspectedActor} in the place of each actor, and plain data. */
export type InspectedEvent = {
  /** The session id of the tree's root. */
  readonly rootId: string;
  /** The actor that it is about. */
  readonly actorRef: InspectedActor;
} & (
  | {
      /** An actor is there. */
      readonly type: "@xstate.actor";
    }
  | {
      /** An actor is told something. */
      readonly type: "@xstate.event";
      readonly event: InspectedMessage;
      /** Who tells it; undefined: somebody outside of the tree. */
      readonly sourceRef: InspectedActor | undefined;
    }
  | {
      /** What it has made of that, or how it has ended. */
      readonly type: "@xstate.snapshot" | "@xstate.transition";
      readonly event: InspectedMessage;
      readonly snapshot: InspectedSnapshot;
    }
  | {
      /** One of the steps in which a machine makes something of it. */
      readonly type: "@xstate.microstep";
      readonly event: InspectedMessage;
      readonly snapshot: InspectedSnapshot;
      /** Not shown. */
      readonly _transitions: never[];
    }
  | {
      /** A machine does something. */
      readonly type: "@xstate.action";
      readonly action: { readonly type: string; readonly params: undefined };
    }
);

/** Whoever watches the actors of a system: any XState inspection observer, or a function. */
export type InspectionObserver =
  | ((event: InspectedEvent) => void)
  | {
      /** Is told each event. */
      next?(event: InspectedEvent): void;
      /** Is told, once, what `next` or a filter threw; nothing comes after it. */
      error?(error: unknown): void;
    };

/** An observer, and what of the actors reaches it. */
export interface Inspection {
  /** Who watches. */
  readonly observer: InspectionObserver;
  /**
   * Decides, before anything is made of it, whether an inspection event about `actor` reaches the observer.
   *
   * @param event the type of the event that the actor takes or took; null where there is none
   * @default everything does
   */
  filter?(actor: InspectedActor, type: InspectedEvent["type"], event: string | null): boolean;
  /**
   * Has the last word on each field of what actors and events show: `undefined` leaves it out, anything else stands for
   * it. Credentials, arguments and results are no part of what they show.
   *
   * @default everything stays as it is
   */
  redact?: Redact;
}
