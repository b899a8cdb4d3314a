import { request } from "node:http";
import { CliError, exitCodes } from "./cli-error.ts";

/** Where a gateway's admin listener is, and what it is told. */
export interface Target {
  /** `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  readonly token: string | undefined;
}

/** An answer of the admin listener. */
interface Answer {
  readonly status: number;
  readonly body: string;
}

// The most that a gateway's answer may be; a tree with a million connections is smaller.
const maxBytes = 512 * 1024 * 1024;

/** Asks a gateway's admin listener. Every failure is a CliError that says what to do about it. */
export class AdminClient {
  readonly address: string;
  readonly #target: { readonly host: string; readonly port: number } | { readonly socketPath: string };
  readonly #token: string;

  /** @throws CliError without a token, and for an address that is none */
  constructor({ address, token }: Target) {
    this.address = address;
    this.#target = targetOf(address);
    if (token === undefined || token === "") {
      const how = "set GEN_API_ADMIN_TOKEN to the token of the gateway's option admin, or pass --token";
      throw new CliError(`No token: ${how}`, exitCodes.usage);
    }
    // What a header cannot hold cannot be a gateway's token either.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new CliError("The token holds spaces or other characters that no token has", exitCodes.usage);
    }
    this.#token = token;
  }

  /** The answer to a question. */
  get<Value>(
    path: string,
    query: Readonly<Record<string, string | undefined>> = {},
    timeoutMs = 10_000,
  ): Promise<Value> {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const search = given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
    return this.#ask<Value>("GET", `${path}${search}`, undefined, timeoutMs);
  }

  post<Value>(path: string, body: unknown, timeoutMs = 10_000): Promise<Value> {
    return this.#ask<Value>("POST", path, JSON.stringify(body), timeoutMs);
  }

  async #ask<Value>(method: string, path: string, body: string | undefined, timeoutMs: number): Promise<Value> {
    const { status, body: text } = await this.#send(method, path, body, timeoutMs);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new CliError(`What answers at ${this.address} is no gateway's admin listener`, exitCodes.unreachable);
    }
    if (status === 200) return value as Value;
    const message = (value as { error?: { message?: unknown } } | null)?.error?.message;
    const said = typeof message === "string" ? message : `HTTP status ${status}`;
    if (status === 401) {
      throw new CliError(`The gateway at ${this.address} does not know this token: ${said}`, exitCodes.refused);
    }
    if (status === 403) throw new CliError(`The gateway at ${this.address} refused: ${said}`, exitCodes.refused);
    throw new CliError(said, status === 400 ? exitCodes.usage : exitCodes.failed);
  }

  #send(method: string, path: string, body: string | undefined, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (message: string) => reject(new CliError(message, exitCodes.unreachable));
      const headers = {
        host: "host" in this.#target ? `${this.#target.host}:${this.#target.port}` : "localhost",
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
      };
      const sent = request({ ...connectTo(this.#target), method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maxBytes) sent.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
        response.on("error", (error) => fail(`The gateway at ${this.address} broke off its answer: ${error.message}`));
      });
      sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`nothing came for ${timeoutMs} ms`)));
      sent.on("error", (error: NodeJS.ErrnoException) => fail(this.#unreachable(error)));
      sent.end(body);
    });
  }

  #unreachable({ code, message }: NodeJS.ErrnoException): string {
    if (code === "ECONNREFUSED" || code === "ENOENT") {
      return `No gateway listens at ${this.address}. Is it running, with the option admin? Another address: --admin or GEN_API_ADMIN`;
    }
    if (code === "EACCES") return `This user may not open ${this.address}`;
    if (code === "ENOTFOUND") return `There is no host of the name in ${this.address}`;
    return `The gateway at ${this.address} did not answer: ${message}`;
  }
}

/** IPv6 addresses have brackets in URLs and headers, and none where one connects. */
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
