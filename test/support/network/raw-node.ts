import { type AddressInfo, createServer, type Socket, connect as tcp } from "node:net";
import { link } from "gen-api/link";
import { systemClock } from "../../../src/core/time/clock.ts";
import { randomNonce } from "../../../src/node/greeting/proof.ts";
import { NodeSession, nodeSessionDefaults } from "../../../src/node/node-session.ts";

/** A node without manners: it asks a gateway whatever a test wants asked, over a real link. */
export interface RawNode extends AsyncDisposable {
  ask(name: string, body: unknown): Promise<unknown>;
  /** Pushes FunConfigs as they are given. @returns what the gateway answered to them and to their end */
  push(service: string, functions: readonly unknown[]): Promise<{ refused: readonly unknown[]; end: unknown }>;
}

/** Resolves when the gateway has let it in. */
export async function startRawNode(url: string, node: string, services: readonly string[]): Promise<RawNode> {
  let connected!: (session: NodeSession) => void;
  const up = new Promise<NodeSession>((resolve) => {
    connected = resolve;
  });
  const runsNothing = {
    run: () => ({ cancel: () => undefined }),
    stream: () => ({ cancel: () => undefined, grant: () => undefined, acknowledge: () => undefined }),
  };
  const host = {
    ...nodeSessionDefaults,
    node,
    services,
    instance: "raw",
    token: null,
    clock: systemClock,
    executor: runsNothing,
    nonce: randomNonce,
    up: (session: NodeSession) => connected(session),
    down: () => undefined,
    refused: () => undefined,
  };
  const endpoint = link({ gateways: [url] }).openNode({
    name: node,
    clock: systemClock,
    random: Math.random,
    hasToken: false,
    connected: (pipe) => new NodeSession(pipe, host).receiver,
    fail(error) {
      throw error;
    },
  });
  const session = await up;
  return {
    ask: (name, body) => session.ask(name, body),
    async push(service, functions) {
      const begin = { service, configVersion: randomNonce(), count: functions.length, force: true, pull: null };
      const { push } = (await session.ask("push_begin", begin)) as { push: number };
      const { refused } = (await session.ask("push_slice", { push, functions })) as { refused: unknown[] };
      return { refused, end: await session.ask("push_end", { push }) };
    },
    async [Symbol.asyncDispose]() {
      endpoint.close();
      await session.ended;
    },
  };
}

/** A wire between nodes and a gateway that can be cut at the nodes' end alone. */
export class Wire implements AsyncDisposable {
  readonly port: number;
  readonly #close: () => Promise<void>;
  readonly #cut: () => void;

  private constructor(port: number, cut: () => void, close: () => Promise<void>) {
    this.port = port;
    this.#cut = cut;
    this.#close = close;
  }

  static async to(port: number): Promise<Wire> {
    const near = new Set<Socket>();
    const far = new Set<Socket>();
    const server = createServer((socket) => {
      const upstream = tcp(port, "127.0.0.1");
      near.add(socket);
      far.add(upstream);
      socket.on("data", (data) => upstream.write(data));
      upstream.on("data", (data) => socket.write(data));
      // A node that is cut off does not tell the gateway.
      socket.on("error", () => undefined).on("close", () => near.delete(socket));
      upstream.on("error", () => undefined).on("close", () => far.delete(upstream) && socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const cut = () => {
      for (const socket of near) socket.destroy();
    };
    const close = async () => {
      for (const socket of [...near, ...far]) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    };
    return new Wire((server.address() as AddressInfo).port, cut, close);
  }

  /** Where nodes connect. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}/node`;
  }

  /** The nodes' sockets end; the gateway's stay, and say nothing. */
  cut(): void {
    this.#cut();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
