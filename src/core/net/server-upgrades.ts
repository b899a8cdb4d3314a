import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { endSoon, endWithStatus } from "./end-with-status.ts";
import { guardSocket } from "./guard-socket.ts";
import { isInUse } from "./shared-socket.ts";

/** A possible recipient of a server's upgrade requests. */
export interface UpgradeTaker {
  /** @returns false, and leaves the socket alone, if the request is not for it */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean;
}

/** Every socket that one of ours has taken. A host may offer a socket that its server has already offered. */
const taken = new WeakSet<Socket>();

/**
 * Offers an upgrade request to the possible recipients.
 * @returns whether one of them has its socket, from now or before; otherwise the socket was left alone
 */
export function offerUpgrade(
  takers: readonly UpgradeTaker[],
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): boolean {
  if (taken.has(socket)) return true;
  if (!takers.some((taker) => taker.upgrade(request, socket, head))) return false;
  guardSocket(socket);
  taken.add(socket);
  return true;
}

/** Time for other listeners of a host's server to show that an upgrade request is theirs, milliseconds. */
const untakenMs = 1_000;

/**
 * The same time if one of them meanwhile listens for the socket's end, milliseconds: it may be about to answer. Some do
 * so for every socket, and leave those that are not theirs to others.
 */
const attendedMs = 30_000;

/** The most upgrade requests that wait for this; beyond that, the oldest is decided at once. */
const maxUntaken = 1_000;

/**
 * One for each server, however many gateways are mounted on it, so that no gateway mistakes another for a host's
 * listener.
 */
const byServer = new WeakMap<Server, ServerUpgrades>();

/**
 * Gives a server's upgrade requests to their recipients, and owns the socket of each until it is taken.
 *
 * A request without a recipient is answered 404 if it is for a WebSocket; any other asks for a protocol we do not
 * speak, and is served as the plain request that it also is (RFC 9110, 7.8). Other listeners of the server's `upgrade`
 * get their chance first.
 *
 * @returns a function that undoes this
 */
export function takeUpgrades(server: Server, takers: readonly UpgradeTaker[]): () => void {
  const upgrades = byServer.get(server) ?? new ServerUpgrades(server);
  byServer.set(server, upgrades);
  upgrades.add(takers);
  return () => {
    if (upgrades.delete(takers) && byServer.get(server) === upgrades) byServer.delete(server);
  };
}

/** An upgrade request for none of ours, and the state of its socket at that time. */
interface Untaken {
  readonly request: IncomingMessage;
  readonly listeners: number;
  readonly bytesWritten: number;
  timer: NodeJS.Timeout;
}

class ServerUpgrades {
  readonly #server: Server;
  readonly #takers = new Set<readonly UpgradeTaker[]>();
  /** Oldest first. */
  readonly #untaken = new Map<Socket, Untaken>();

  constructor(server: Server) {
    this.#server = server;
    // In front of the others, to see what they do with a socket.
    server.prependListener("upgrade", this.#onUpgrade);
  }

  add(takers: readonly UpgradeTaker[]): void {
    this.#takers.add(takers);
  }

  /** @returns whether none are left, in which case it has released the server */
  delete(takers: readonly UpgradeTaker[]): boolean {
    this.#takers.delete(takers);
    if (this.#takers.size > 0) return false;
    this.#server.off("upgrade", this.#onUpgrade);
    for (const socket of [...this.#untaken.keys()]) this.#decide(socket);
    return true;
  }

  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const socket = stream as Socket;
    guardSocket(socket);
    for (const takers of this.#takers) if (offerUpgrade(takers, request, socket, head)) return;
    if (this.#server.listenerCount("upgrade") === 1) this.#answer(request, socket);
    else this.#wait(request, socket);
  };

  #wait(request: IncomingMessage, socket: Socket): void {
    const timer = setTimeout(() => this.#look(socket), untakenMs).unref();
    socket.once("close", this.#onClose);
    this.#untaken.set(socket, { request, listeners: listenersOf(socket), bytesWritten: socket.bytesWritten, timer });
    const [oldest] = this.#untaken.keys();
    if (this.#untaken.size > maxUntaken && oldest !== undefined) this.#decide(oldest);
  }

  #look(socket: Socket): void {
    const untaken = this.#untaken.get(socket);
    if (untaken === undefined) return;
    if (listenersOf(socket) > untaken.listeners) {
      untaken.timer = setTimeout(() => this.#decide(socket), attendedMs).unref();
    } else this.#decide(socket);
  }

  #decide(socket: Socket): void {
    const untaken = this.#forget(socket);
    if (untaken === undefined || socket.destroyed) return;
    if (socket.bytesWritten === untaken.bytesWritten && !isInUse(socket)) this.#answer(untaken.request, socket);
  }

  #forget(socket: Socket): Untaken | undefined {
    const untaken = this.#untaken.get(socket);
    if (untaken === undefined) return undefined;
    this.#untaken.delete(socket);
    clearTimeout(untaken.timer);
    socket.off("close", this.#onClose);
    return untaken;
  }

  #answer(request: IncomingMessage, socket: Socket): void {
    if (isPlain(request) && this.#server.listenerCount("request") > 0) serveAsPlain(this.#server, request, socket);
    else endWithStatus(socket, 404);
  }

  readonly #onClose = ((upgrades) =>
    function (this: Socket): void {
      upgrades.#forget(this);
    })(this);
}

function listenersOf(socket: Socket): number {
  return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
}

/** Whether it can be served without its upgrade. If not, the bytes after its head would have no reader. */
function isPlain({ headers }: IncomingMessage): boolean {
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
  return !hasBody && !/\bwebsocket\b/i.test(headers.upgrade ?? "");
}

/** As Node does without a listener for `upgrade`. */
function serveAsPlain(server: Server, request: IncomingMessage, socket: Socket): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => endSoon(socket));
  socket.once("close", () => request.destroy());
  server.emit("request", request, response);
}
