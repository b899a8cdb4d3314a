import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** How a connection ends: both sides see it, or neither does. */
export type Cut = { readonly afterBytes: number; readonly how: "cut" | "half-open" };

/** A way to a port of this machine that cuts connections in the middle of what clients are sent. */
export class CuttingNetwork implements AsyncDisposable {
  readonly #server = createServer((client) => this.#pass(client));
  readonly #sockets = new Set<Socket>();
  readonly #target: number;
  #cut: Cut | null = null;
  #passed = 0;
  #onCut: () => void = () => undefined;

  private constructor(target: number) {
    this.#target = target;
  }

  static async open(target: number): Promise<CuttingNetwork> {
    const network = new CuttingNetwork(target);
    await new Promise<void>((resolve) => network.#server.listen(0, "127.0.0.1", resolve));
    return network;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Cuts the newest connection after it has brought its client so many bytes from now on.
   * @returns a promise that resolves when that has happened
   */
  cutAfter(cut: Cut): Promise<void> {
    this.#passed = 0;
    this.#cut = cut;
    return new Promise((resolve) => {
      this.#onCut = resolve;
    });
  }

  /** Cuts nothing for now. */
  spare(): void {
    this.#cut = null;
  }

  #pass(client: Socket): void {
    const target = connect(this.#target, "127.0.0.1");
    let isCut = false;
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    const end = () => {
      if (isCut) return;
      client.destroy();
      target.destroy();
    };
    client.on("data", (data) => {
      if (!isCut) target.write(data);
    });
    target.on("data", (data) => {
      if (isCut) return;
      const cut = this.#cut;
      if (cut === null || this.#passed + data.length < cut.afterBytes) {
        this.#passed += data.length;
        client.write(data);
        return;
      }
      this.#cut = null;
      isCut = cut.how === "half-open";
      client.write(data.subarray(0, cut.afterBytes - this.#passed), () => {
        if (!isCut) end();
        this.#onCut();
      });
    });
    client.once("close", end);
    target.once("close", end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
