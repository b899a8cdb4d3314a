import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A way to a port of this machine, over which what goes in, or what comes out, can get lost without anybody noticing. */
export class LossyNetwork implements AsyncDisposable {
  readonly #server = createServer((client) => this.#pass(client));
  readonly #sockets = new Set<Socket>();
  readonly #target: number;
  #lost: "in" | "out" | null = null;

  private constructor(target: number) {
    this.#target = target;
  }

  static async open(target: number): Promise<LossyNetwork> {
    const network = new LossyNetwork(target);
    await new Promise<void>((resolve) => network.#server.listen(0, "127.0.0.1", resolve));
    return network;
  }

  /** Where one connects to be connected to the target. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** "out": what clients send is lost; "in": what they are sent. Ends of connections are lost in either case. */
  lose(way: "in" | "out"): void {
    this.#lost = way;
  }

  /** Whatever was connected is cut, and new connections are passed on. */
  heal(): void {
    this.#lost = null;
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(client: Socket): void {
    const target = connect(this.#target, "127.0.0.1");
    this.#join(client, target, "out");
    this.#join(target, client, "in");
  }

  #join(from: Socket, to: Socket, way: "in" | "out"): void {
    this.#sockets.add(from);
    from.on("error", () => from.destroy());
    from.on("data", (data) => {
      if (this.#lost !== way) to.write(data);
    });
    from.once("close", () => {
      this.#sockets.delete(from);
      // Who waits for an acknowledgement that got lost closes late.
      if (this.#lost === null) to.destroy();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
