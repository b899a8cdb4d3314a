import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { systemClock } from "../../../src/core/time/clock.ts";
import { link } from "../../../src/node/link/link.ts";
import type { GatewayLinkOptions, NodeLinkOptions } from "../../../src/node/link/link-options.ts";
import type { GatewayEndpoint, TransportScope } from "../../../src/node/node-transport.ts";
import type { Pipe, PipeReceiver } from "../../../src/node/wire/pipe.ts";

/** What comes one after another, for whoever waits for it. */
export class Queue<Item> {
  readonly #items: Item[] = [];
  readonly #waiting: ((item: Item) => void)[] = [];

  get size(): number {
    return this.#items.length;
  }

  put(item: Item): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  next(): Promise<Item> {
    const [item] = this.#items.splice(0, 1);
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}

/** One end of a pipe, and what its receiver was told. */
export class End implements PipeReceiver {
  readonly pipe: Pipe;
  readonly messages = new Queue<Buffer>();
  readonly ends: { readonly reason: string; readonly undeliveredFrom: number | undefined }[] = [];
  readonly ended: Promise<string>;
  /** Replaces what is done with a message. */
  onMessage = (message: Uint8Array): void => this.messages.put(Buffer.from(message));
  isUp = false;
  #onEnded!: (reason: string) => void;

  constructor(pipe: Pipe) {
    this.pipe = pipe;
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
  }

  received(message: Uint8Array): void {
    this.onMessage(message);
  }

  closed(reason: string, undeliveredFrom?: number): void {
    this.ends.push({ reason, undeliveredFrom });
    this.#onEnded(reason);
  }
}

/** A scope that keeps what it is told. */
export function createScope(more: Partial<TransportScope> = {}) {
  const ends = new Queue<End>();
  const failures: unknown[] = [];
  const scope: TransportScope = {
    name: "test",
    clock: systemClock,
    random: Math.random,
    hasToken: false,
    connected(pipe) {
      const end = new End(pipe);
      ends.put(end);
      return end;
    },
    fail: (error) => void failures.push(error),
    ...more,
  };
  return { scope, ends, failures };
}

/** A gateway's link on an HTTP server of the test's own. */
export async function openGateway(
  options: GatewayLinkOptions = {},
  more: Partial<TransportScope> = {},
  host = "127.0.0.1",
) {
  const { scope, ends, failures } = createScope(more);
  const endpoint: GatewayEndpoint = link(options).openGateway(scope);
  const server = createServer();
  const untaken = new Queue<string>();
  server.on("upgrade", (request, socket, head) => {
    if (endpoint.upgrade?.(request, socket as Socket, head)) return;
    untaken.put(request.url ?? "");
    socket.destroy();
  });
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint,
    ends,
    failures,
    untaken,
    port,
    url: `ws://${host}:${port}${options.path ?? "/node"}`,
    /** Resolves when no socket is left. */
    async [Symbol.asyncDispose]() {
      endpoint.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A node's link. */
export function openNode(options: NodeLinkOptions, more: Partial<TransportScope> = {}) {
  const { scope, ends, failures } = createScope(more);
  const endpoint = link(options).openNode(scope);
  return { endpoint, ends, failures, [Symbol.dispose]: () => endpoint.close() };
}
