import { unavailable } from "../../src/call/request/failure.ts";
import type { ConnectedNodes } from "../../src/call/route.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "../../src/node/calls/remote-call.ts";

/** A call that a node was sent, which the test answers itself. */
export interface SentCall {
  readonly node: string;
  readonly call: RemoteCall;
  cancelled: string | null;
}

/** As {@link SentCall}. */
export interface SentStream {
  readonly node: string;
  readonly stream: RemoteStream;
  granted: number;
  cancelled: string | null;
}

/** Service nodes that keep what they are sent, in the order in which it came to any of them. */
export class FakeNodes implements ConnectedNodes {
  readonly calls: SentCall[] = [];
  readonly streams: SentStream[] = [];
  /** Both. */
  readonly sent: (SentCall | SentStream)[] = [];
  readonly #up = new Set<string>();
  /** Nodes that are up and refuse at once. */
  readonly refusing = new Set<string>();
  /** Nodes that are broken: sending throws. */
  readonly throwing = new Set<string>();
  /** The one service of a node. @default any */
  readonly #serviceOf = new Map<string, string>();

  up(...names: string[]): void {
    for (const name of names) this.#up.add(name);
  }

  /** A node of this name comes for another service. */
  upFor(service: string, name: string): void {
    this.#serviceOf.set(name, service);
    this.up(name);
  }

  down(...names: string[]): void {
    for (const name of names) this.#up.delete(name);
  }

  /** Makes a node what it was not before. "well" is one that is not refusing or throwing, up or down. */
  becomes(name: string, what: "up" | "down" | "refusing" | "throwing" | "well"): void {
    if (what === "up" || what === "down") this[what](name);
    else if (what !== "well") this[what].add(name);
    else for (const trouble of [this.refusing, this.throwing]) trouble.delete(name);
  }

  live(names: readonly string[], service: string): readonly string[] {
    return names.filter((name) => this.#serves(name, service));
  }

  get(name: string, service: string): RemoteNode | null {
    return this.#serves(name, service) ? this.#node(name) : null;
  }

  #serves(name: string, service: string): boolean {
    return this.#up.has(name) && (this.#serviceOf.get(name) ?? service) === service;
  }

  #node(node: string): RemoteNode {
    return {
      run: (call) => {
        const sent: SentCall = { node, call, cancelled: null };
        this.calls.push(sent);
        this.sent.push(sent);
        if (this.throwing.has(node)) throw new Error(`${node} is broken`);
        if (this.refusing.has(node)) call.failed(unavailable as never, false);
        return { cancel: (reason) => void Object.assign(sent, { cancelled: reason }) };
      },
      stream: (stream) => {
        const sent: SentStream = { node, stream, granted: 0, cancelled: null };
        this.streams.push(sent);
        this.sent.push(sent);
        if (this.throwing.has(node)) throw new Error(`${node} is broken`);
        if (this.refusing.has(node)) stream.failed(unavailable as never, false);
        return {
          cancel: (reason) => void Object.assign(sent, { cancelled: reason }),
          grant: (chunks) => void Object.assign(sent, { granted: sent.granted + chunks }),
          acknowledge: () => undefined,
        };
      },
    };
  }
}
