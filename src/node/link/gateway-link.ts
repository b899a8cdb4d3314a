import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ServerOptions, WebSocketServer } from "ws";
import { endSoon, endWithStatus } from "../../core/net/end-with-status.ts";
import { networkOfPeer } from "../../core/net/ip-address.ts";
import { isLoopbackAddress } from "../../core/net/loopback.ts";
import { normalPath, readTarget } from "../../core/net/request-target.ts";
import { isInUse, usedByOther, watchOtherUse } from "../../core/net/shared-socket.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { farewells } from "../farewell.ts";
import type { GatewayEndpoint, TransportScope } from "../node-transport.ts";
import { type LinkCaller, type LinkRefusal, refusalOf, subprotocol } from "./admission.ts";
import type { ResolvedGatewayLink } from "./link-options.ts";
import { LinkPlaces, type Placed } from "./link-places.ts";
import { openLinkServer } from "./link-server.ts";
import { closeGraceMs, WsPipe } from "./ws-pipe.ts";

const refuseEvent = telemetryEvent("node.link.refuse");

/** The actual answer is not known here. */
const answeredByOther: LinkRefusal = { status: 500, reason: usedByOther };

/** When clients for which there was no place may retry, milliseconds. */
const retryLaterMs = 5_000;

/** Lets service nodes connect, on a port of its own or through upgrade requests of the gateway's HTTP server. */
export function openGatewayLink(options: ResolvedGatewayLink, scope: TransportScope, port?: number): GatewayEndpoint {
  const gateway = new GatewayLink(options, scope);
  if (options.listen === undefined) return gateway;
  const listen = { ...options.listen, port: port ?? options.listen.port };
  const server = openLinkServer(listen, options, gateway, scope);
  return {
    ready: server.ready,
    get address() {
      return server.address;
    },
    close() {
      server.close();
      gateway.close();
    },
  };
}

/** The links of a gateway. */
class GatewayLink implements GatewayEndpoint {
  readonly #options: ResolvedGatewayLink;
  readonly #scope: TransportScope;
  readonly #path: string;
  readonly #places: LinkPlaces;
  readonly #pipes = new Set<WsPipe>();
  readonly #server: WebSocketServer;

  constructor(options: ResolvedGatewayLink, scope: TransportScope) {
    this.#options = options;
    this.#scope = scope;
    this.#path = normalPath(options.path);
    this.#places = new LinkPlaces(options);
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      handleProtocols: () => subprotocol,
      maxPayload: options.maxMessageBytes,
      maxFragments: options.maxFragments,
      maxBufferedChunks: options.maxBufferedChunks,
      closeTimeout: closeGraceMs,
    } as ServerOptions);
  }

  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    if (readTarget(request.url).path !== this.#path) return false;
    const { remoteAddress = "" } = socket;
    const caller = callerOf(request);
    const { hasToken } = this.#scope;
    if (isInUse(socket)) {
      this.#reportRefusal(remoteAddress, answeredByOther);
      return true;
    }
    const refusal =
      refusalOf(caller, { hasToken, insecure: this.#options.insecure }) ??
      this.#places.refusalOf(networkOfPeer(remoteAddress));
    if (socket.destroyed) return true;
    if (refusal === undefined) this.#welcome(request, socket, head, caller.isLoopback);
    else this.#refuse(socket, remoteAddress, refusal);
    return true;
  }

  close(): void {
    this.#server.close();
    for (const pipe of this.#pipes) pipe.close(farewells.gateway);
  }

  #refuse(socket: Socket, address: string, refusal: LinkRefusal): void {
    this.#reportRefusal(address, refusal);
    const { status } = refusal;
    endWithStatus(socket, status, status === 429 || status === 503 ? retryLaterMs : undefined);
  }

  #reportRefusal(address: string, { status, reason }: LinkRefusal): void {
    const { name: gateway, clock } = this.#scope;
    refuseEvent.emit({ system_time: clock.systemTime() }, { gateway, address, status, reason });
  }

  #welcome(request: IncomingMessage, socket: Socket, head: Buffer, isLoopback: boolean): void {
    const scope = this.#scope;
    const fail = (error: unknown) => scope.fail(error);
    const { remoteAddress: address = "", remotePort } = socket;
    let pipe: WsPipe | undefined;
    const placed: Placed = {
      network: networkOfPeer(address),
      get isProven() {
        return pipe?.isProven === true;
      },
    };
    this.#places.take(placed);
    const free = () => this.#places.free(placed);
    socket.once("close", free);
    const open = () => {
      // Refuses malformed requests, and all requests once closed, by itself and without a callback.
      this.#server.handleUpgrade(request, socket, head, (ws) => {
        const peer = `${address.includes(":") ? `[${address}]` : address}:${remotePort}`;
        pipe = new WsPipe({ ws, socket, peer, isLoopback, onEnd: (ended) => this.#pipes.delete(ended), fail });
        this.#pipes.add(pipe);
        try {
          pipe.open(scope.connected(pipe));
        } catch (thrown) {
          pipe.close("the gateway failed");
          fail(thrown);
        }
      });
      if (pipe === undefined) endSoon(socket);
    };
    const isUsedByOther = watchOtherUse(socket);
    // By then the other listeners of a host's server, which get the same socket, have had their turn.
    setImmediate(() => {
      if (!isUsedByOther()) {
        open();
        return;
      }
      this.#reportRefusal(address, answeredByOther);
      if (!socket.destroyed) {
        socket.off("close", free);
        free();
      }
    });
  }
}

function callerOf({ headers, socket }: IncomingMessage): LinkCaller {
  // A proxy on this machine lends its address to all its clients.
  const isProxied = ["x-forwarded-for", "forwarded", "x-real-ip", "via"].some((name) => headers[name] !== undefined);
  return {
    isLoopback: !isProxied && isLoopbackAddress(socket.remoteAddress ?? ""),
    isSecure: "encrypted" in socket,
    origin: headers.origin,
    protocols: headers["sec-websocket-protocol"],
  };
}
