import {
  type ActorLogic,
  type AnyActorRef,
  createActor,
  type DoneActorEvent,
  type ErrorActorEvent,
  type Snapshot,
} from "xstate";
import { contain, type GracefulLogic } from "../actor/contain.ts";
import { isAlive, kill, type ShutdownEvent, shutdownEvent } from "../actor/exit.ts";
import type { Inspectable } from "../actor/format-status.ts";
import { toError } from "../core/errors.ts";
import { closeCodes } from "../protocol/events.ts";
import { channelActor } from "./channel.actor.ts";
import type { Connection } from "./connection.ts";
import type { JoinedChannel } from "./joined-channel.ts";
import type { ConnectionOwner } from "./topics.ts";

type ConnectionEvent =
  | ShutdownEvent
  | DoneActorEvent
  | ErrorActorEvent
  | { readonly type: "connection.closed" }
  | { readonly type: "xstate.stop" };

type ConnectionSnapshot = Snapshot<undefined> & {
  readonly connection: Connection;
  readonly channels: ChannelActors;
  /** The channels' actors, where the tree and inspectors look for them. */
  readonly children: Readonly<Record<string, AnyActorRef>>;
};

/**
 * One open socket, and the parent of its channels' actors. When it ends the socket is closed, and when the socket is
 * gone it ends. A channel that crashes stays away, the client is told: it will join again.
 */
export const connectionActor: ActorLogic<ConnectionSnapshot, ConnectionEvent, Connection> & GracefulLogic = contain({
  isGraceful: true,
  formatStatus: ({ connection, channels }: ConnectionSnapshot) => ({
    channels: channels.count,
    bytesReceived: connection.bytesReceived,
    closing: connection.closing?.code ?? null,
  }),
  getInitialSnapshot({ self }, connection) {
    const channels = new ChannelActors(self);
    const { children } = channels;
    return { status: "active", output: undefined, error: undefined, connection, channels, children };
  },
  start({ connection, channels }) {
    connection.attach(channels);
  },
  transition(snapshot, event) {
    const { connection, channels } = snapshot;
    switch (event.type) {
      case "connection.closed":
        return { ...snapshot, status: "done", output: undefined, error: undefined };
      case "actor.shutdown":
        // It ends when the client has answered, or has had its time to.
        connection.close(closeCodes.serviceRestart, "the gateway stops");
        return snapshot;
      case "xstate.stop":
        connection.close(closeCodes.internalError, "the connection crashed");
        return { ...snapshot, status: "stopped", output: undefined, error: undefined };
      default: {
        const channel = channels.forget(event.actorId);
        if (channel !== undefined && "error" in event) connection.topics.channelDown(channel, toError(event.error));
        return snapshot;
      }
    }
  },
  getPersistedSnapshot: ({ status, output, error }) => ({ status, output, error }) as Snapshot<unknown>,
} satisfies ActorLogic<ConnectionSnapshot, ConnectionEvent, Connection> & GracefulLogic & Inspectable);

/** What a connection has of its actor, and the actors of its channels. */
class ChannelActors implements ConnectionOwner {
  readonly children: Record<string, AnyActorRef> = {};
  readonly #self: AnyActorRef;
  readonly #channels = new Map<string, JoinedChannel>();

  constructor(self: AnyActorRef) {
    this.#self = self;
  }

  get count(): number {
    return this.#channels.size;
  }

  startChannel(channel: JoinedChannel): void {
    const ref = createActor(channelActor, { id: channel.id, input: channel, parent: this.#self, src: "channel" });
    this.children[channel.id] = ref;
    this.#channels.set(channel.id, channel);
    ref.start();
  }

  crashChannel({ id }: JoinedChannel, error: Error): void {
    const ref = this.children[id];
    if (ref !== undefined) kill(ref, error);
  }

  stopChannel({ id }: JoinedChannel): void {
    this.children[id]?.send(shutdownEvent);
  }

  crash(error: Error): void {
    kill(this.#self, error);
  }

  closed(): void {
    if (isAlive(this.#self)) this.#self.send({ type: "connection.closed" });
  }

  /** The channel whose actor has ended. */
  forget(id: string): JoinedChannel | undefined {
    const channel = this.#channels.get(id);
    this.#channels.delete(id);
    delete this.children[id];
    return channel;
  }
}
