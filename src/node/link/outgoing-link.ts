import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ClientOptions, WebSocket } from "ws";
import { fromResource } from "../../actor/resource.ts";
import { isLoopbackAddress } from "../../core/loopback.ts";
import { withoutSecrets } from "../../core/without-secrets.ts";
import type { TransportScope } from "../transport.ts";
import { subprotocol } from "./admission.ts";
import type { ResolvedNodeLink } from "./link-options.ts";
import { closeGraceMs, WsPipe } from "./ws-pipe.ts";

/** Which gateway is dialed, how, and for whom. */
export interface DialInput {
  /** The gateway's URL. */
  readonly gateway: string;
  readonly options: ResolvedNodeLink;
  readonly scope: TransportScope;
}

/** What an outgoing link tells the dialer that owns it. */
export type LinkEvent =
  | { readonly type: "link.opened" }
  | {
      readonly type: "link.lost";
      readonly reason: string;
      /** Whether the gateway had proven who it is and let the node in. */
      readonly wasProven: boolean;
    };

/** One attempt to reach a gateway and, where it succeeds, the link. Tells its owner once that it is lost. */
export const outgoingLink = fromResource<DialInput>(
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
    // The owner releases it then.
    function lost(reason: string): void {
      tell({ type: "link.lost", reason, wasProven: pipe?.isProven === true });
    }

    function open(socket: Socket): void {
      const isLoopback = isLoopbackAddress(socket.remoteAddress ?? "");
      // A name may stand for any address.
      if (!("encrypted" in socket) && !isLoopback && !insecure) {
        lost("without TLS, or insecure: true, only gateways on this machine are spoken to");
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
      if (pipe === undefined) lost(error.message);
    });

    return {
      close() {
        isReleased = true;
        clock.clearTimeout(timer);
        if (pipe === undefined) ws.terminate();
        else pipe.close("the node's link closes");
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
