import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ClientOptions, WebSocket } from "ws";
import { fromResource } from "../../actor/resource.ts";
import { isLoopbackAddress } from "../../core/net/loopback.ts";
import { withoutSecrets } from "../../core/net/without-secrets.ts";
import { farewells } from "../farewell.ts";
import type { TransportScope } from "../node-transport.ts";
import { subprotocol } from "./admission.ts";
import { dialFailure } from "./dial-failure.ts";
import type { ResolvedNodeLink } from "./link-options.ts";
import { closeGraceMs, WsPipe } from "./ws-pipe.ts";

/** Which gateway to dial, how, and for which node. */
export interface DialInput {
  /** The gateway's URL. */
  readonly gateway: string;
  readonly options: ResolvedNodeLink;
  readonly scope: TransportScope;
}

/** What an outgoing link reports to its dialer. */
export type LinkEvent =
  | { readonly type: "link.opened" }
  | {
      readonly type: "link.lost";
      readonly reason: string;
      /** Whether the gateway had proven its identity and let the node in. */
      readonly wasProven: boolean;
    };

/** One attempt to reach a gateway and, on success, the link. Reports once that it is lost. */
export const outgoingLinkActor = fromResource<DialInput>(
  ({ input: { gateway, options, scope }, clock, sendParent, fail }) => {
    const { insecure, connectTimeoutMs } = options;
    const ws = new WebSocket(gateway, subprotocol, clientOptions(options));
    let socket: Socket | undefined;
    let pipe: WsPipe | undefined;
    let isReleased = false;
    const timer = clock.setTimeout(() => {
      lost(`no answer within ${connectTimeoutMs} ms`);
    }, connectTimeoutMs);

    function tell(event: LinkEvent): void {
      if (!isReleased) sendParent(event);
    }
    // The owner then releases it.
    function lost(reason: string): void {
      tell({ type: "link.lost", reason, wasProven: pipe?.isProven === true });
    }

    function open(socket: Socket): void {
      const isLoopback = isLoopbackAddress(socket.remoteAddress ?? "");
      // A name may resolve to any address.
      if (!("encrypted" in socket) && !isLoopback && !insecure) {
        lost("without TLS, or insecure: true, only gateways on this machine are dialed");
        return;
      }
      pipe = new WsPipe({ ws, socket, peer: gateway, isLoopback, onEnd: (_pipe, reason) => lost(reason), fail });
      tell({ type: "link.opened" });
      pipe.open(scope.connected(pipe));
    }

    ws.on("upgrade", (response: IncomingMessage) => {
      socket = response.socket;
    });
    ws.on("open", () => {
      clock.clearTimeout(timer);
      try {
        open(socket as Socket);
      } catch (thrown) {
        fail(thrown);
      }
    });
    ws.on("error", (error) => {
      if (pipe === undefined) lost(dialFailure(error, gateway));
    });

    return {
      close() {
        isReleased = true;
        clock.clearTimeout(timer);
        if (pipe === undefined) ws.terminate();
        else pipe.close(farewells.node);
      },
      formatStatus: () => ({ gateway: withoutSecrets(gateway), isOpen: pipe !== undefined }),
    };
  },
);

function clientOptions({ maxMessageBytes, maxFragments, maxBufferedChunks, tls }: ResolvedNodeLink): ClientOptions {
  return {
    ...tls,
    perMessageDeflate: false,
    autoPong: false,
    followRedirects: false,
    maxPayload: maxMessageBytes,
    maxFragments,
    maxBufferedChunks,
    closeTimeout: closeGraceMs,
  } as ClientOptions;
}
