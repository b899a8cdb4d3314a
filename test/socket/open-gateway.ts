import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Server } from "node:http";
import { fromDynamicSupervisor } from "../../src/actor/supervisor/dynamic-supervisor.ts";
import { type System, startSystem } from "../../src/actor/system.ts";
import type { Caller, ReplyTo, RequestHandler } from "../../src/call/request/caller.ts";
import { SharedBudget } from "../../src/core/fair/shared-budget.ts";
import { Groups } from "../../src/core/groups.ts";
import type { Clock } from "../../src/core/time/clock.ts";
import { systemClock } from "../../src/core/time/clock.ts";
import { type ChannelOptions, resolveChannel } from "../../src/socket/channels/channel.ts";
import type { JoinedChannel } from "../../src/socket/channels/joined-channel.ts";
import type { SocketContext } from "../../src/socket/channels/socket-context.ts";
import { ConnectionTable } from "../../src/socket/connection-table.ts";
import { type SocketOptions, socketDefaults } from "../../src/socket/handshake/socket-options.ts";
import type { ListenOptions } from "../../src/socket/http-server.ts";
import { Turns } from "../../src/socket/inbound/flow-turns.ts";
import { SocketMemory } from "../../src/socket/inbound/socket-memory.ts";
import { SpentBudgets } from "../../src/socket/inbound/spent-budgets.ts";
import { createListener, type Listener } from "../../src/socket/listener.actor.ts";
import type { EventName, TelemetryMessage } from "../../src/telemetry/telemetry.ts";
import { connectRaw, type RawClient } from "../support/network/raw-client.ts";

/** One request as the handler behind the gateway got it. */
export interface Handled {
  readonly payload: unknown;
  readonly bytes: number;
  readonly caller: Caller;
  readonly replyTo: ReplyTo;
}

/** A gateway's socket layer in a tree of its own; what stands for the pipeline echoes payloads. */
export class Gateway implements AsyncDisposable {
  readonly system: System;
  readonly listener: Listener;
  readonly table: ConnectionTable;
  readonly members = new Groups<string, JoinedChannel>();
  /** What its sockets hold together. */
  readonly memory: SocketMemory;
  readonly handled: Handled[] = [];
  readonly clients: RawClient[] = [];
  /** What is done with a request; by default {@link echo}. */
  handle: RequestHandler["handle"] = echo;

  constructor(options: GatewayOptions) {
    const { channels = [{ topic: "api:*", event: "api" }], clock = systemClock, on = { port: 0 }, ...socket } = options;
    const requests: RequestHandler = {
      handle: (payload, bytes, caller, replyTo, weight) => {
        this.handled.push({ payload, bytes, caller, replyTo });
        this.handle(payload, bytes, caller, replyTo, weight);
      },
      resume: () => "not_found",
    };
    const frameLimit = { ...socketDefaults.frameLimit, ...socket.frameLimit };
    const resolved = { ...socketDefaults, ...socket, frameLimit };
    this.memory = new SocketMemory(resolved.maxHeldBytes);
    const context: SocketContext = {
      gateway: "test",
      clock,
      channels: channels.map(resolveChannel),
      requests,
      members: this.members,
      options: resolved,
      turns: new Turns(),
      spentBudgets: new SpentBudgets(resolved.frameLimit),
      memory: this.memory,
      requestBudget: new SharedBudget(resolved.maxRequestBytesInSum),
    };
    this.table = new ConnectionTable(clock, resolved);
    this.listener = createListener({ context, table: this.table, on, connections: "connections" });
    this.system = startSystem({
      name: "test",
      clock,
      children: [
        { id: "connections", name: "connections", logic: fromDynamicSupervisor() },
        { id: "listener", name: "listener", logic: this.listener.logic },
      ],
    });
  }

  get url(): string {
    return this.listener.address?.url ?? "";
  }

  /** A client of version 2, or of whatever the query says. */
  async connect(query = "vsn=2.0.0", options: Parameters<typeof connectRaw>[1] = {}): Promise<RawClient> {
    const client = await connectRaw(`${this.url}/websocket?${query}`, options);
    this.clients.push(client);
    return client;
  }

  /** A client that has joined "api:a" with join_ref "1". */
  async joined(query?: string): Promise<RawClient> {
    const client = await this.connect(query);
    await client.join("api:a");
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.system.shutdown();
    await Promise.all(this.clients.map((client) => client.closed));
  }
}

/** Options of the socket, and what is around it. */
export type GatewayOptions = SocketOptions & {
  readonly channels?: readonly ChannelOptions[];
  readonly clock?: Clock;
  readonly on?: ListenOptions | Server;
};

export async function openGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = new Gateway(options);
  await gateway.listener.ready;
  return gateway;
}

/** Answers with the payload itself. */
export function echo(payload: unknown, _bytes: number, _caller: Caller, replyTo: ReplyTo): void {
  replyTo.answer(JSON.stringify(payload), "ok", '"echo"');
}

/** Collects the messages of one telemetry event while a test runs. */
export function listenTo<Name extends EventName>(
  name: Name,
): Disposable & { readonly messages: TelemetryMessage<Name>[] } {
  const messages: TelemetryMessage<Name>[] = [];
  const listener = (message: unknown) => messages.push(message as TelemetryMessage<Name>);
  subscribe(`gen_api.${name}`, listener);
  return { messages, [Symbol.dispose]: () => unsubscribe(`gen_api.${name}`, listener) };
}
