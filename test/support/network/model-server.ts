import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** A language model behind the interface of OpenAI's chat completions; what it writes, and when, the test says. */
export class ModelServer implements AsyncDisposable {
  readonly #server = createServer((request, response) => {
    this.#take(request, response).catch((error) => response.destroy(error));
  });
  readonly #questions: string[] = [];
  #whenAsked: (() => void) | undefined;
  #response: ServerResponse | undefined;
  /** How often it was asked. */
  requests = 0;

  static async start(): Promise<ModelServer> {
    const model = new ModelServer();
    model.#server.listen(0, "127.0.0.1");
    await once(model.#server, "listening");
    return model;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/chat/completions`;
  }

  /** Resolves with the next question that it was asked. */
  async asked(): Promise<string> {
    if (this.#questions.length === 0) {
      await new Promise<void>((resolve) => {
        this.#whenAsked = resolve;
      });
    }
    return this.#questions.shift() as string;
  }

  /** One token of its answer. */
  write(content: string): void {
    this.#response?.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
  }

  end(): void {
    this.#response?.end("data: [DONE]\n\n");
  }

  /** Resolves when whoever asked has hung up. */
  async left(): Promise<void> {
    if (this.#response?.closed === false) await once(this.#response, "close");
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { messages } = (await json(request)) as { messages: { content: string }[] };
    this.requests++;
    this.#response = response;
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    this.#questions.push(messages[0]?.content ?? "");
    this.#whenAsked?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    return closed;
  }
}
