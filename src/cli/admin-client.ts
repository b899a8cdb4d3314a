import { type IncomingMessage, request } from "node:http";
import { CliError, exitCodes } from "./cli-error.ts";

/** The address of a gateway's admin listener, and its token. */
export interface AdminAddress {
  /** `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  readonly token: string | undefined;
}

/** The options of a request. */
interface AskOptions {
  /** How long to wait without receiving anything. @default 10_000 */
  readonly timeoutMs?: number;
  /** Cancels the request. */
  readonly signal?: AbortSignal;
}

// The most characters of one value of an answer; a tree with a million connections is smaller.
const maxLength = 512 * 1024 * 1024;

/** A client of a gateway's admin listener. Every failure is a CliError that says what to do about it. */
export class AdminClient {
  readonly address: string;
  readonly #target: { readonly host: string; readonly port: number } | { readonly socketPath: string };
  readonly #token: string;

  /** @throws CliError without a token, and for an invalid address */
  constructor({ address, token }: AdminAddress) {
    this.address = address;
    this.#target = targetOf(address);
    if (token === undefined || token === "") {
      const how = "set GEN_API_ADMIN_TOKEN to the token of the gateway's option admin, or pass --token";
      throw new CliError(`No token: ${how}`, exitCodes.usage);
    }
    // A token that a header cannot hold cannot be a gateway's token either.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new CliError("The token contains spaces or other invalid characters", exitCodes.usage);
    }
    this.#token = token;
  }

  /** The answer to a GET. */
  get<Value>(
    path: string,
    query: Readonly<Record<string, string | undefined>> = {},
    options?: AskOptions,
  ): Promise<Value> {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const search = given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
    return this.#first(this.#ask<Value>("GET", `${path}${search}`, undefined, options));
  }

  /** The answer to a POST. */
  post<Value>(path: string, body: unknown, options?: AskOptions): Promise<Value> {
    return this.#first(this.postForAll<Value>(path, body, options));
  }

  /** All values of an answer, as they come and no faster than they are taken. Leaving the loop aborts it. */
  postForAll<Value>(path: string, body: unknown, options?: AskOptions): AsyncGenerator<Value, void, void> {
    return this.#ask<Value>("POST", path, JSON.stringify(body), options);
  }

  async #first<Value>(answer: AsyncIterable<Value>): Promise<Value> {
    for await (const value of answer) return value;
    throw this.#noGateway();
  }

  async *#ask<Value>(method: string, path: string, body: string | undefined, options: AskOptions = {}) {
    const response = await this.#send(method, path, body, options);
    const status = response.statusCode ?? 0;
    try {
      for await (const line of linesOf(response)) {
        const value = this.#parsed(line);
        if (status !== 200) throw this.#refusal(status, value);
        yield value as Value;
      }
    } catch (error) {
      if (error instanceof CliError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new CliError(`The gateway at ${this.address} aborted its answer: ${why}`, exitCodes.unreachable);
    }
  }

  #parsed(line: string): unknown {
    try {
      return JSON.parse(line);
    } catch {
      throw this.#noGateway();
    }
  }

  #noGateway(): CliError {
    return new CliError(`The server at ${this.address} is not a gateway's admin listener`, exitCodes.unreachable);
  }

  #refusal(status: number, value: unknown): CliError {
    const message = (value as { error?: { message?: unknown } } | null)?.error?.message;
    const said = typeof message === "string" ? message : `HTTP status ${status}`;
    if (status === 401) {
      return new CliError(`The gateway at ${this.address} does not know this token: ${said}`, exitCodes.refused);
    }
    if (status === 403) return new CliError(`The gateway at ${this.address} refused: ${said}`, exitCodes.refused);
    return new CliError(said, status === 400 ? exitCodes.usage : exitCodes.failed);
  }

  #send(method: string, path: string, body: string | undefined, { timeoutMs = 10_000, signal }: AskOptions) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const headers = {
        host: "host" in this.#target ? `${this.#target.host}:${this.#target.port}` : "localhost",
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
      };
      const called = signal === undefined ? {} : { signal };
      const sent = request({ ...connectTo(this.#target), method, path, headers, agent: false, ...called }, resolve);
      sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`nothing came for ${timeoutMs} ms`)));
      sent.on("error", (error: NodeJS.ErrnoException) =>
        reject(new CliError(this.#unreachable(error), exitCodes.unreachable)),
      );
      sent.end(body);
    });
  }

  #unreachable({ code, message }: NodeJS.ErrnoException): string {
    if (code === "ECONNREFUSED" || code === "ENOENT") {
      return `No gateway listens at ${this.address}. Is it running, with the option admin? Another address: --admin or GEN_API_ADMIN`;
    }
    if (code === "EACCES") return `This user may not open ${this.address}`;
    if (code === "ENOTFOUND") return `There is no host with the name in ${this.address}`;
    return `The gateway at ${this.address} did not answer: ${message}`;
  }
}

/** IPv6 addresses have brackets in URLs and headers, but not in connection options. */
function connectTo(target: { readonly host: string; readonly port: number } | { readonly socketPath: string }) {
  return "host" in target ? { ...target, host: target.host.replace(/^\[(.*)\]$/, "$1") } : target;
}

function targetOf(address: string) {
  const socketPath = /^unix:(.+)$/.exec(address)?.[1];
  if (socketPath !== undefined) return { socketPath };
  const [, host, port] = /^(?:http:\/\/)?(\[[^\]]+\]|[^:/[\]]+):(\d{1,5})\/?$/.exec(address) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new CliError(`An address is HOST:PORT or unix:PATH, got ${JSON.stringify(address)}`, exitCodes.usage);
  }
  return { host, port: Number(port) };
}

/**
 * Each value of the answer is a line.
 * @throws the error that aborts it
 */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, void> {
  response.setEncoding("utf8");
  let line = "";
  for await (const text of response as AsyncIterable<string>) {
    const [end = "", ...others] = text.split("\n");
    line += end;
    if (line.length > maxLength) throw new Error("it is too long");
    for (const next of others) {
      yield line;
      line = next;
    }
  }
  if (line !== "") yield line;
}
