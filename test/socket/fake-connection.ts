import { Writable } from "node:stream";
import { InFlight } from "../../src/call/request/running-calls.ts";
import { hostShare } from "../../src/core/fair/share.ts";
import { SharedBudget } from "../../src/core/fair/shared-budget.ts";
import { Groups } from "../../src/core/groups.ts";
import { serializerV2 } from "../../src/protocol/serializer-v2.ts";
import { type ChannelOptions, resolveChannel } from "../../src/socket/channels/channel.ts";
import type { JoinedChannel } from "../../src/socket/channels/joined-channel.ts";
import { Connection } from "../../src/socket/connection.ts";
import type { Assigns } from "../../src/socket/handshake/assigns.ts";
import { type ResolvedSocketOptions, socketDefaults } from "../../src/socket/handshake/socket-options.ts";
import { Turns } from "../../src/socket/inbound/flow-turns.ts";
import { FrameBudget } from "../../src/socket/inbound/frame-limit.ts";
import type { ReceivedMessage } from "../../src/socket/inbound/inbound.ts";
import { SocketMemory } from "../../src/socket/inbound/socket-memory.ts";
import { SpentBudgets } from "../../src/socket/inbound/spent-budgets.ts";
import type { OpenSocket } from "../../src/socket/outbound/open-socket.ts";
import { messagesIn } from "../support/network/hand-made-frames.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

/** A connection of version 2 without a network or actors; its client takes all that it is sent at once. */
export function fakeConnection(
  channels: readonly ChannelOptions[] = [{ topic: "api:*", event: "api" }],
  options: Partial<ResolvedSocketOptions> = {},
  assigns: Assigns = {},
) {
  const clock = new SimulatedClock();
  const written: Buffer[] = [];
  const log: string[] = [];
  const takenBack: ReceivedMessage[] = [];
  const socket = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  const transport = {
    socket,
    isOpen: true,
    bytesReceived: 0,
    partSince: null as number | null,
    isBusy: false,
    takeBack: (messages: readonly ReceivedMessage[]) => void takenBack.push(...messages),
    close(code: number, reason: string) {
      transport.isOpen = false;
      log.push(`close ${code} ${reason}`);
    },
    abandon(code: number, reason: string) {
      transport.isOpen = false;
      log.push(`abandon ${code} ${reason}`);
    },
  };
  const resolved = { ...socketDefaults, ...options };
  const memory = new SocketMemory(resolved.maxHeldBytes);
  const budget = new SharedBudget(resolved.maxRequestBytesInSum);
  const context = {
    gateway: "test",
    clock,
    channels: channels.map(resolveChannel),
    requests: { handle: () => undefined, resume: () => "not_found" as const },
    members: new Groups<string, JoinedChannel>(),
    options: resolved,
    turns: new Turns(),
    spentBudgets: new SpentBudgets(resolved.frameLimit),
    memory,
    requestBudget: budget,
  };
  const connection = new Connection(context, transport as unknown as OpenSocket, {
    socket: { id: "connection_1", assigns, ipAddress: null },
    serializer: serializerV2,
    trace: null,
    share: hostShare,
    inFlight: new InFlight(100, 100, resolved.maxRequestBytesInFlight, budget),
    frames: new FrameBudget(resolved.frameLimit, 0),
  });
  const channelsStarted: JoinedChannel[] = [];
  connection.attach({
    startChannel: (channel) => void channelsStarted.push(channel),
    crashChannel: (channel, error) => connection.topics.channelDown(channel, error),
    stopChannel: (channel) => void log.push(`stop ${channel.topic}`),
    crash: (error) => void log.push(`crash ${error.message}`),
    closed: () => void log.push("closed"),
  });
  return {
    clock,
    connection,
    transport,
    memory,
    log,
    takenBack,
    channelsStarted,
    /** The client sends `[join_ref, ref, topic, event, payload]`. */
    send: (...message: readonly unknown[]) => connection.receive(Buffer.from(JSON.stringify(message)), false),
    /** What the client got since the last look, as such arrays. */
    async received(): Promise<unknown[][]> {
      // What follows from a promise is sent in the turn after.
      await settled();
      await settled();
      return messagesIn(Buffer.concat(written.splice(0))).map((message) => JSON.parse(message));
    },
  };
}
