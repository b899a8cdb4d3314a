import { createHash, randomUUID } from "node:crypto";
import { childSpec } from "../actor/child-spec.ts";
import { fromResource, type ResourceLogic } from "../actor/resource.ts";
import { type SupervisorRef, startChild } from "../actor/supervisor-requests.ts";
import type { Clock } from "../core/clock.ts";
import { GatewaySession, type GatewaySessionHost, gatewaySessionDefaults } from "../node/gateway-session.ts";
import type { Pipe, PipeReceiver } from "../node/pipe.ts";
import { randomNonce } from "../node/proof.ts";
import type { RemoteNode } from "../node/remote-call.ts";
import { startSession } from "../node/session.actor.ts";
import type { NodeTransport } from "../node/transport.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { names } from "./service-node-tree.ts";

/** What {@link Gateways} needs of its node. */
export interface GatewaysSources {
  readonly node: string;
  readonly services: readonly string[];
  readonly token: string | null;
  readonly clock: Clock;
  readonly transport: NodeTransport;
  readonly executor: RemoteNode;
  /** A gateway has let the node in. */
  up(session: GatewaySession): void;
  down(session: GatewaySession): void;
}

const gatewayUp = telemetryEvent("gateway.up");
const gatewayDown = telemetryEvent("gateway.down");
const gatewayRefuse = telemetryEvent("gateway.refuse");

/** The gateways that a service node is connected to, over its transport. */
export class Gateways {
  readonly #sources: GatewaysSources;
  readonly #sessions = new Set<GatewaySession>();
  readonly #host: Omit<GatewaySessionHost, "instance">;
  readonly #process = randomUUID();
  #count = 0;
  #isLeaving = false;

  constructor(sources: GatewaysSources) {
    const { node, services, token, clock, executor } = sources;
    this.#sources = sources;
    this.#host = {
      ...gatewaySessionDefaults,
      node,
      services,
      token,
      clock,
      executor,
      nonce: randomNonce,
      up: (session) => this.#up(session),
      down: (session, reason) => this.#down(session, reason),
      refused: (session, error) => {
        if (gatewayRefuse.active)
          gatewayRefuse.emit({ system_time: clock.systemTime() }, { node, peer: session.peer, error });
      },
    };
  }

  /** Those that have let the node in. */
  get sessions(): readonly GatewaySession[] {
    return [...this.#sessions];
  }

  /** Reaches for the gateways from now on. */
  async open(root: SupervisorRef): Promise<void> {
    await startChild(root, childSpec({ id: names.transport, name: names.transport, logic: this.#transport }));
  }

  /** Takes leave of all: resolves when none has calls of the node's under way any more, and all have closed. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    await Promise.all(this.sessions.map((session) => session.leave()));
  }

  /** The child that keeps a pipe to every gateway. */
  get #transport(): ResourceLogic {
    const { node, token, clock, transport } = this.#sources;
    return fromResource(({ fail, whereis }) => {
      const connected = (pipe: Pipe): PipeReceiver => {
        const session = new GatewaySession(pipe, { ...this.#host, instance: this.#instanceOf(pipe) });
        // The transport does not know of it, and dials again whom the node has left.
        if (this.#isLeaving) queueMicrotask(() => session.close("the node stops"));
        startSession(whereis<SupervisorRef>(names.gatewaySessions), `gateway_session_${++this.#count}`, session);
        return session.receiver;
      };
      const hasToken = token !== null;
      const endpoint = transport.openNode({ name: node, clock, random: Math.random, hasToken, connected, fail });
      return { close: () => endpoint.close(), formatStatus: () => ({ transport: transport.name }) };
    });
  }

  /**
   * A pipe made anew replaces the one before it, whose end the gateway may not have noticed. Two ways to one gateway must
   * not replace each other for ever: each has an instance of its own, and the second is refused.
   */
  #instanceOf({ peer }: Pipe): string {
    return createHash("sha256").update(`${this.#process} ${peer}`).digest("hex").slice(0, 32);
  }

  #up(session: GatewaySession): void {
    this.#sessions.add(session);
    const { node, clock, up } = this.#sources;
    gatewayUp.emit({ system_time: clock.systemTime() }, { node, gateway: session.gateway ?? "", peer: session.peer });
    // The two were greeting each other when the node began to leave. Told of as it is let in: it may end at once.
    if (this.#isLeaving) session.close("the node stops");
    else up(session);
  }

  #down(session: GatewaySession, reason: string): void {
    this.#sessions.delete(session);
    const { node, clock, down } = this.#sources;
    const gateway = session.gateway ?? "";
    gatewayDown.emit({ system_time: clock.systemTime() }, { node, gateway, peer: session.peer, reason });
    down(session);
  }
}
