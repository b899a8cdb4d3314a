import type { RequestHandler } from "../call/caller.ts";
import type { Clock } from "../core/clock.ts";
import type { ChannelDefinition } from "./channel.ts";
import type { ResolvedSocketOptions } from "./socket-options.ts";

/** What all connections of a gateway share. */
export interface SocketContext {
  /** The gateway's name, for telemetry. */
  readonly gateway: string;
  readonly clock: Clock;
  /** In the order in which topics are matched. */
  readonly channels: readonly ChannelDefinition[];
  readonly requests: RequestHandler;
  readonly options: ResolvedSocketOptions;
}
