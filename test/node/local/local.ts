import { backoffMs } from "../../../src/core/time/backoff.ts";
import { farewells } from "../../../src/node/farewell.ts";
import type { Endpoint, GatewayEndpoint, NodeTransport, TransportScope } from "../../../src/node/node-transport.ts";
import type { PipeReceiver } from "../../../src/node/wire/pipe.ts";
import { createLocalPipe, type LocalPipe } from "./local-pipe.ts";

const backoff = { firstMs: 50, maxMs: 1_000 };

/**
 * Connects gateways and service nodes of one process that were given this very transport: the third transport, beside
 * links and NATS, that the suites of all transports run on.
 */
export function local(): NodeTransport {
  const gateways = new Set<LocalGateway>();
  const nodes = new Set<LocalNode>();
  return {
    name: "local",
    gatewayFaults: () => [],
    nodeFaults: () => [],
    openGateway(scope) {
      const gateway = new LocalGateway(scope, () => {
        gateways.delete(gateway);
        for (const node of nodes) node.forget(gateway);
      });
      gateways.add(gateway);
      for (const node of nodes) node.dial(gateway);
      return gateway;
    },
    openNode(scope) {
      const node = new LocalNode(scope, () => nodes.delete(node));
      nodes.add(node);
      for (const gateway of gateways) node.dial(gateway);
      return node;
    },
  };
}

/** The gateway's side: accepts every pipe. */
class LocalGateway implements GatewayEndpoint {
  readonly scope: TransportScope;
  readonly pipes = new Set<LocalPipe>();
  readonly #onClose: () => void;

  constructor(scope: TransportScope, onClose: () => void) {
    this.scope = scope;
    this.#onClose = onClose;
  }

  close(): void {
    this.#onClose();
    for (const pipe of this.pipes) pipe.close(farewells.gateway);
  }
}

/** A node's state for one gateway. */
interface Dial {
  pipe: LocalPipe | null;
  timer: unknown;
  attempts: number;
}

/** The node's side: keeps a pipe to every gateway. */
class LocalNode implements Endpoint {
  readonly #scope: TransportScope;
  readonly #dials = new Map<LocalGateway, Dial>();
  readonly #onClose: () => void;

  constructor(scope: TransportScope, onClose: () => void) {
    this.#scope = scope;
    this.#onClose = onClose;
  }

  /** Starts keeping a pipe to a gateway. */
  dial(gateway: LocalGateway): void {
    const dial: Dial = { pipe: null, timer: undefined, attempts: 0 };
    this.#dials.set(gateway, dial);
    // As over a network, not before both sides know that they are open.
    dial.timer = this.#scope.clock.setTimeout(() => this.#connect(gateway, dial), 0);
  }

  /** Stops keeping a pipe to a gateway, which is gone. */
  forget(gateway: LocalGateway): void {
    const dial = this.#dials.get(gateway);
    this.#dials.delete(gateway);
    this.#scope.clock.clearTimeout(dial?.timer);
  }

  close(): void {
    this.#onClose();
    for (const [gateway, { pipe }] of this.#dials) {
      this.forget(gateway);
      pipe?.close(farewells.node);
    }
  }

  #connect(gateway: LocalGateway, dial: Dial): void {
    const [here, there] = createLocalPipe(this.#scope.name, gateway.scope.name);
    dial.pipe = here;
    gateway.pipes.add(there);
    here.open(this.#scope.connected(here), (receiver) => this.#lost(gateway, dial, receiver));
    there.open(gateway.scope.connected(there), () => gateway.pipes.delete(there));
  }

  #lost(gateway: LocalGateway, dial: Dial, { isUp }: PipeReceiver): void {
    dial.pipe = null;
    if (this.#dials.get(gateway) !== dial) return;
    dial.attempts = isUp ? 1 : dial.attempts + 1;
    const { clock, random } = this.#scope;
    const wait = backoffMs(backoff, dial.attempts, random());
    dial.timer = clock.setTimeout(() => this.#connect(gateway, dial), wait);
  }
}
