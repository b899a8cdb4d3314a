import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../core/time/clock.ts";
import type { SharedPushes } from "../sync/push/shared-pushes.ts";
import type { PeerScope, Peers } from "./peers/peers.ts";
import type { Pipe, PipeReceiver } from "./wire/pipe.ts";

/** How gateways and service nodes reach each other: in one process, over a direct link, or over NATS. */
export interface NodeTransport {
  /** "local", "link" or "nats". */
  readonly name: string;
  /** Whether gateways reach each other over it, see {@link GatewayEndpoint.peers}. @default false */
  readonly hasPeers?: boolean;
  /** The faults of its options for a gateway, each beginning with a path such as `cluster.path`. */
  gatewayFaults(role: RoleOptions): readonly string[];
  /** The faults of its options for a service node. */
  nodeFaults(role: RoleOptions): readonly string[];
  /** Lets nodes connect. Called again after its actor crashed. */
  openGateway(scope: TransportScope): GatewayEndpoint;
  /** Keeps a pipe open to every gateway, reconnecting with backoff and jitter. */
  openNode(scope: TransportScope): Endpoint;
}

/** The facts that decide whether a transport's options are safe. */
export interface RoleOptions {
  /** Whether there is a `pushToken`: without one, gateways and nodes talk only on one machine. */
  readonly hasToken: boolean;
}

/** What its owner passes to an open transport. */
export interface TransportScope {
  /** The gateway's or node's own name. */
  readonly name: string;
  readonly clock: Clock;
  /** Returns a number in [0, 1), as `Math.random` does. */
  readonly random: () => number;
  readonly hasToken: boolean;
  /** For gateways that are to reach each other. */
  readonly peer?: PeerScope;
  /** Whether the node is leaving and must dial no more gateways. @default never */
  isLeaving?(): boolean;
  /** A pipe is open. Nothing is received before this returns. */
  connected(pipe: Pipe): PipeReceiver;
  /**
   * Reports that the medium between gateways and nodes became reachable or unreachable: for the transports of gateways
   * with a {@link Medium}.
   */
  reached?(): void;
  /**
   * As {@link reached}, for the opposite case.
   * @param reason for people
   */
  cutOff?(reason: string): void;
  /** Crashes the transport's actor, which its supervisor then restarts. */
  fail(error: unknown): void;
}

/** An open transport. */
export interface Endpoint {
  /** Closes its pipes, sockets and timers. */
  close(): void;
}

/**
 * A server between gateways and nodes, which can itself be unreachable. Without one, nodes connect to the gateway
 * directly.
 */
export interface Medium {
  /** Resolves with whether it answers now, within the time of a heartbeat. */
  answers(): Promise<boolean>;
}

/** The gateway's side of an open transport. */
export interface GatewayEndpoint extends Endpoint {
  /**
   * Takes an upgrade request from the gateway's own HTTP server.
   * @returns false if the request is not for this transport
   */
  upgrade?(request: IncomingMessage, socket: Socket, head: Buffer): boolean;
  /** Resolves once it listens, if it has a port of its own; rejects with a GenApiError `listen_failed`. */
  readonly ready?: Promise<void>;
  /** The address for nodes, if it has a port of its own and listens. */
  readonly address?: { readonly host: string; readonly port: number; readonly url: string } | undefined;
  /** The medium, if the transport has one. It counts as unreachable until the scope is notified otherwise. */
  readonly medium?: Medium;
  /** The place where gateways share accepted pushes, if the transport has one. */
  readonly sharedPushes?: SharedPushes;
  /** The other gateways, if the transport reaches them. */
  readonly peers?: Peers | undefined;
}
