import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

/** A TCP balancer: gives each connection to the next of its targets, and to the one after it where that refuses. */
export class TcpBalancer implements AsyncDisposable {
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#pass(client, this.targets.length));
  readonly #sockets = new Set<Socket>();
  #turn = 0;
  /** Ports on this machine. */
  readonly targets: readonly number[];

  private constructor(targets: readonly number[]) {
    this.targets = targets;
  }

  static async start(targets: readonly number[]): Promise<TcpBalancer> {
    const balancer = new TcpBalancer(targets);
    await new Promise<void>((resolve) => balancer.#server.listen(0, "127.0.0.1", resolve));
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection, as a balancer does that restarts; new ones go on to the next target. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(client: Socket, tries: number): void {
    this.#keep(client);
    const target = connect({
      port: this.targets[this.#turn++ % this.targets.length] as number,
      host: "127.0.0.1",
      allowHalfOpen: true,
    });
    const refused = () => {
      if (tries > 1) this.#pass(client, tries - 1);
      else client.destroy();
    };
    target.once("error", refused);
    target.once("connect", () => {
      this.#keep(target);
      target.off("error", refused);
      client.pipe(target).pipe(client);
      client.once("close", () => target.destroy());
      target.once("close", () => client.destroy());
    });
  }

  #keep(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
