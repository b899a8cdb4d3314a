import type { RequestHandler } from "../../call/request/caller.ts";
import type { SharedBudget } from "../../core/fair/shared-budget.ts";
import type { Groups } from "../../core/groups.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { ResolvedSocketOptions } from "../handshake/socket-options.ts";
import type { Turns } from "../inbound/flow-turns.ts";
import type { SocketMemory } from "../inbound/socket-memory.ts";
import type { SpentBudgets } from "../inbound/spent-budgets.ts";
import type { ChannelDefinition } from "./channel.ts";
import type { JoinedChannel } from "./joined-channel.ts";

/** Shared by all connections of a gateway. */
export interface SocketContext {
  /** The gateway's name, for telemetry. */
  readonly gateway: string;
  readonly clock: Clock;
  /** In the order in which topics are matched. */
  readonly channels: readonly ChannelDefinition[];
  readonly requests: RequestHandler;
  /** The joined channels, by topic. */
  readonly members: Groups<string, JoinedChannel>;
  readonly options: ResolvedSocketOptions;
  /** The turns in which their messages are handled. */
  readonly turns: Turns;
  /** Remaining budgets of clients that reconnect. */
  readonly spentBudgets: SpentBudgets;
  /** Memory that they hold together. */
  readonly memory: SocketMemory;
  /** Memory that all their requests hold together. */
  readonly requestBudget: SharedBudget;
}
