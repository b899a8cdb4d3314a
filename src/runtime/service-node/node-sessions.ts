import { createHash, randomUUID } from "node:crypto";
import { fromResource, type ResourceLogic } from "../../actor/resource.ts";
import { childSpec } from "../../actor/supervisor/child-spec.ts";
import { type SupervisorRef, startChild } from "../../actor/supervisor/supervisor-requests.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { RemoteNode } from "../../node/calls/remote-call.ts";
import { farewells, isFarewell } from "../../node/farewell.ts";
import { randomNonce } from "../../node/greeting/proof.ts";
import { NodeSession, type NodeSessionHost, nodeSessionDefaults } from "../../node/node-session.ts";
import type { NodeTransport } from "../../node/node-transport.ts";
import { startSession } from "../../node/session.actor.ts";
import type { Pipe, PipeReceiver } from "../../node/wire/pipe.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { nodeActors } from "../options/actor-names.ts";

/** The parts of its node that {@link NodeSessions} needs. */
export interface NodeSessionsDeps {
  readonly node: string;
  readonly services: readonly string[];
  readonly token: string | null;
  readonly clock: Clock;
  readonly transport: NodeTransport;
  readonly executor: RemoteNode;
  /** A gateway has let the node in. */
  up(session: NodeSession): void;
  down(session: NodeSession): void;
}

const gatewayUp = telemetryEvent("gateway.up");
const gatewayDown = telemetryEvent("gateway.down");
const gatewayRefuse = telemetryEvent("gateway.refuse");

/** A service node's sessions with its gateways, over its transport. */
export class NodeSessions {
  readonly #deps: NodeSessionsDeps;
  readonly #sessions = new Set<NodeSession>();
  readonly #host: Omit<NodeSessionHost, "instance">;
  readonly #process = randomUUID();
  #count = 0;
  #isLeaving = false;

  constructor(deps: NodeSessionsDeps) {
    const { node, services, token, clock, executor } = deps;
    this.#deps = deps;
    this.#host = {
      ...nodeSessionDefaults,
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

  /** The gateways that have let the node in. */
  get sessions(): readonly NodeSession[] {
    return [...this.#sessions];
  }

  /** Starts connecting to gateways. */
  async open(root: SupervisorRef): Promise<void> {
    await startChild(root, childSpec({ id: nodeActors.transport, name: nodeActors.transport, logic: this.#transport }));
  }

  /** Leaves all gateways: resolves when none has running calls of this node, and all have closed. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    await Promise.all(this.sessions.map((session) => session.leave()));
  }

  /** The node's time is over: further calls are refused. */
  refuse(): void {
    for (const session of this.#sessions) session.refuse();
  }

  /** The child that keeps a pipe to every gateway. */
  get #transport(): ResourceLogic {
    const { node, token, clock, transport } = this.#deps;
    return fromResource(({ fail, whereis }) => {
      const connected = (pipe: Pipe): PipeReceiver => {
        const session = new NodeSession(pipe, { ...this.#host, instance: this.#instanceOf(pipe) });
        // It was dialed before.
        if (this.#isLeaving) queueMicrotask(() => session.close(farewells.stops));
        startSession(whereis<SupervisorRef>(nodeActors.gatewaySessions), `gateway_session_${++this.#count}`, session);
        return session.receiver;
      };
      const hasToken = token !== null;
      const isLeaving = () => this.#isLeaving;
      const endpoint = transport.openNode({
        name: node,
        clock,
        random: Math.random,
        hasToken,
        isLeaving,
        connected,
        fail,
      });
      return { close: () => endpoint.close(), formatStatus: () => ({ transport: transport.name }) };
    });
  }

  /**
   * A new pipe replaces the one before it, whose end the gateway may not have noticed. Two ways to one gateway must not
   * replace each other endlessly: each has its own instance, and the second is refused.
   */
  #instanceOf({ peer }: Pipe): string {
    return createHash("sha256").update(`${this.#process} ${peer}`).digest("hex").slice(0, 32);
  }

  #up(session: NodeSession): void {
    this.#sessions.add(session);
    const { node, clock, up } = this.#deps;
    gatewayUp.emit({ system_time: clock.systemTime() }, { node, gateway: session.gateway ?? "", peer: session.peer });
    // The handshake was in progress when the node began to leave. Closed as it is let in, since it may end at once.
    if (this.#isLeaving) session.close(farewells.stops);
    else up(session);
  }

  #down(session: NodeSession, reason: string): void {
    this.#sessions.delete(session);
    const { node, clock, down } = this.#deps;
    const gateway = session.gateway ?? "";
    const orderly = isFarewell(reason);
    gatewayDown.emit({ system_time: clock.systemTime() }, { node, gateway, peer: session.peer, reason, orderly });
    down(session);
  }
}
