import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ServerOptions, WebSocketServer } from "ws";
import { endWithStatus } from "../../core/end-with-status.ts";
import { isLoopbackAddress } from "../../core/loopback.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { GatewayEndpoint, TransportScope } from "../transport.ts";
import { type Caller, type Refusal, refusalOf, subprotocol } from "./admission.ts";
import type { ResolvedGatewayLink } from "./link-options.ts";
import { LinkPlaces, type Placed } from "./link-places.ts";
import { openLinkServer } from "./link-server.ts";
import { closeGraceMs, WsPipe } from "./ws-pipe.ts";

const refuseEvent = telemetryEvent("node.link.refuse");

/** Lets service nodes connect, on a port of its own or where the gateway's HTTP server hands it its upgrade requests. */
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
  readonly #places: LinkPlaces;
  readonly #pipes = new Set<WsPipe>();
  readonly #server: WebSocketServer;

  constructor(options: ResolvedGatewayLink, scope: TransportScope) {
    this.#options = options;
    this.#scope = scope;
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

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (request.url?.split("?", 1)[0] !== this.#options.path) return false;
    socket.on("error", () => socket.destroy());
    const { remoteAddress = "" } = request.socket;
    const caller = callerOf(request);
    const { hasToken } = this.#scope;
    const refusal =
      refusalOf(caller, { hasToken, insecure: this.#options.insecure }) ?? this.#places.refusalOf(remoteAddress);
    if (socket.destroyed) return true;
    if (refusal === undefined) this.#welcome(request, socket as Socket, head, caller.isLoopback);
    else this.#refuse(socket, remoteAddress, refusal);
    return true;
  }

  close(): void {
    this.#server.close();
    for (const pipe of this.#pipes) pipe.close("the gateway's link closes");
  }

  #refuse(socket: Duplex, address: string, { status, reason }: Refusal): void {
    const { name: gateway, clock } = this.#scope;
    refuseEvent.emit({ system_time: clock.systemTime() }, { gateway, address, status, reason });
    endWithStatus(socket, status);
  }

  #welcome(request: IncomingMessage, socket: Socket, head: Buffer, isLoopback: boolean): void {
    const scope = this.#scope;
    const fail = (error: unknown) => scope.fail(error);
    const { remoteAddress: address = "", remotePort } = socket;
    let pipe: WsPipe | undefined;
    const placed: Placed = {
      address,
      get isProven() {
        return pipe?.isProven === true;
      },
    };
    this.#places.take(placed);
    socket.once("close", () => this.#places.free(placed));
    // Refuses a malformed request, and any when it is closed, by itself, without calling back.
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
  }
}

function callerOf({ headers, socket }: IncomingMessage): Caller {
  // A proxy on this machine lends its address to whoever it serves.
  const isProxied = ["x-forwarded-for", "forwarded", "x-real-ip", "via"].some((name) => headers[name] !== undefined);
  return {
    isLoopback: !isProxied && isLoopbackAddress(socket.remoteAddress ?? ""),
    isSecure: "encrypted" in socket,
    origin: headers.origin,
    protocols: headers["sec-websocket-protocol"],
  };
}
