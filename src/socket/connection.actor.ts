import {
  type ActorLogic,
  type AnyActorRef,
  createActor,
  type DoneActorEvent,
  type ErrorActorEvent,
  type Snapshot,
} from "xstate";
import type { Inspectable } from "../actor/inspection/format-status.ts";
import { contain, type GracefulLogic } from "../actor/lifecycle/contain.ts";
import { isAlive, kill, type ShutdownEvent, shutdownEvent } from "../actor/lifecycle/exit.ts";
import { startActor } from "../actor/lifecycle/start-actor.ts";
import { toError } from "../core/errors.ts";
import { closeCodes } from "../protocol/channel-events.ts";
import { channelActor } from "./channels/channel.actor.ts";
import type { JoinedChannel } from "./channels/joined-channel.ts";
import type { ConnectionOwner } from "./channels/topics.ts";
import type { Connection } from "./connection.ts";

type ConnectionEvent =
  | ShutdownEvent
  | DoneActorEvent
  | ErrorActorEvent
  | { readonly type: "connection.closed" }
  | { readonly type: "xstate.stop" };

type ConnectionSnapshot = Snapshot<undefined> & { readonly connection: Connection };

/** The snapshot of a connection's actor until its end. */
class OpenConnection {
  readonly status = "active";
  readonly output = undefined;
  readonly error = undefined;
  readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** The channels' actors, where the tree and inspectors look for them; created on demand. */
  get children(): Readonly<Record<string, AnyActorRef>> {
    const actors: Record<string, AnyActorRef> = {};
    for (const { id, actor } of this.connection.topics.channels) if (actor !== undefined) actors[id] = actor;
    return actors;
  }
}

/**
 * One open socket, and the parent of its channels' actors. When it ends the socket is closed, and when the socket is
 * gone it ends. A crashed channel is not restarted; its client is notified and will rejoin.
 */
export const connectionActor: ActorLogic<ConnectionSnapshot, ConnectionEvent, Connection> & GracefulLogic = contain({
  isGraceful: true,
  formatStatus: ({ connection }: ConnectionSnapshot) => ({
    channels: connection.topics.channels.length,
    bytesReceived: connection.bytesReceived,
    closing: connection.closing?.code ?? null,
  }),
  getInitialSnapshot: (_scope, connection) => new OpenConnection(connection),
  start({ connection }, { self }) {
    connection.attach(new ChannelActors(self));
  },
  transition(snapshot, event) {
    const { connection } = snapshot;
    switch (event.type) {
      case "connection.closed":
        return { ...snapshot, status: "done", output: undefined, error: undefined };
      case "actor.shutdown":
        // It ends when the client has answered, or its time is over.
        connection.close(closeCodes.serviceRestart, "the gateway stops");
        return snapshot;
      case "xstate.stop":
        connection.close(closeCodes.internalError, "the connection crashed");
        return { ...snapshot, status: "stopped", output: undefined, error: undefined };
      default: {
        const channel = connection.topics.channelOf(event.actorId);
        if (channel === undefined) return snapshot;
        channel.actor = undefined;
        if ("error" in event) connection.topics.channelDown(channel, toError(event.error));
        return snapshot;
      }
    }
  },
  getPersistedSnapshot: ({ status, output, error }) => ({ status, output, error }) as Snapshot<unknown>,
} satisfies ActorLogic<ConnectionSnapshot, ConnectionEvent, Connection> & GracefulLogic & Inspectable);

/** A connection's access to its actor and those of its channels. */
class ChannelActors implements ConnectionOwner {
  readonly #self: AnyActorRef;

  constructor(self: AnyActorRef) {
    this.#self = self;
  }

  startChannel(channel: JoinedChannel): void {
    const ref = createActor(channelActor, { id: channel.id, input: channel, parent: this.#self, src: "channel" });
    channel.actor = ref;
    startActor(ref);
  }

  crashChannel({ actor }: JoinedChannel, error: Error): void {
    if (actor !== undefined) kill(actor, error);
  }

  stopChannel({ actor }: JoinedChannel): void {
    actor?.send(shutdownEvent);
  }

  crash(error: Error): void {
    if (isAlive(this.#self)) kill(this.#self, error);
  }

  closed(): void {
    if (isAlive(this.#self)) this.#self.send({ type: "connection.closed" });
  }
}
