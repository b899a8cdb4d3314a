import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { SharedPushes } from "../config/shared-pushes.ts";
import type { Clock } from "../core/clock.ts";
import type { Pipe, PipeReceiver } from "./pipe.ts";

/** How gateways and service nodes reach each other: in one process, over a direct link, over NATS. */
export interface NodeTransport {
  /** "local", "link" or "nats". */
  readonly name: string;
  /** What is wrong with its options for a gateway, each fault beginning with a path such as `cluster.path`. */
  gatewayFaults(role: RoleOptions): readonly string[];
  /** What is wrong with its options for a service node. */
  nodeFaults(role: RoleOptions): readonly string[];
  /** Lets nodes connect. Opened again after a crash of its actor. */
  openGateway(scope: TransportScope): GatewayEndpoint;
  /** Keeps a pipe to every gateway, again and again, with backoff and jitter. */
  openNode(scope: TransportScope): Endpoint;
}

/** What decides whether a transport's options are safe. */
export interface RoleOptions {
  /** Whether there is a `pushToken`: without one, gateways and nodes speak only on one machine. */
  readonly hasToken: boolean;
}

/** What an open transport is given by its owner. */
export interface TransportScope {
  /** The gateway's or node's own name. */
  readonly name: string;
  readonly clock: Clock;
  /** Returns a number in [0, 1), as `Math.random` does. */
  readonly random: () => number;
  readonly hasToken: boolean;
  /** A pipe is open. Nothing is received before this returns. */
  connected(pipe: Pipe): PipeReceiver;
  /** Crashes the transport's actor, which is then started again. */
  fail(error: unknown): void;
}

/** An open transport. */
export interface Endpoint {
  /** Closes every pipe, socket and timer of its own. */
  close(): void;
}

/** The gateway's side of an open transport. */
export interface GatewayEndpoint extends Endpoint {
  /** Takes an upgrade request off the gateway's own HTTP server. @returns false where it is not for this transport */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Resolves when it listens, where it has a port of its own; rejects with a GenApiError `listen_failed`. */
  readonly ready?: Promise<void>;
  /** Where nodes connect, where it has a port of its own and listens. */
  readonly address?: { readonly host: string; readonly port: number; readonly url: string } | undefined;
  /** Where gateways share the pushes that they accepted, where the transport has such a place. */
  readonly sharedPushes?: SharedPushes;
}
