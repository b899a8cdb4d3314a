import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Chromium, type Page } from "../support/processes/chromium.ts";
import { bundle } from "./bundle.ts";

const testPage = new URL("../fixtures/client/page.js", import.meta.url).pathname;

/** Serves a page, and opens it in a real browser. */
export class PageServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #chromium: Chromium;

  private constructor(server: Server, chromium: Chromium) {
    this.#server = server;
    this.#chromium = chromium;
  }

  /** @param entry the page's script. @default that of the browser's tests */
  static async start(entry = testPage): Promise<PageServer> {
    const code = await bundle(entry);
    const server = createServer((request, response) => {
      const isScript = request.url === "/page.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? code : '<!doctype html><body><script type="module" src="/page.js"></script>');
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new PageServer(server, await Chromium.start());
  }

  /** A tab whose client is connected to the gateway at this port. */
  open(port: number | string): Promise<Page> {
    const { port: own } = this.#server.address() as AddressInfo;
    return this.#chromium.open(`http://127.0.0.1:${own}/?port=${port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chromium[Symbol.asyncDispose]();
    this.#server.close();
  }
}
