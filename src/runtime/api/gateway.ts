import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Closed } from "../../actor/closed.ts";
import type { Inspection, InspectionObserver } from "../../actor/inspection/inspection.ts";
import type { TreeNode } from "../../actor/supervisor/tree-node.ts";
import type { AdminListen } from "../../admin/admin-server.ts";
import type { HostCallOptions, HostRequest } from "../../call/host/host-calls.ts";
import type { Response } from "../../call/request/response.ts";
import type { DescribedIdentity, GatewayDescription } from "../../description/gateway-description.ts";
import type { Diagnostics } from "../../diagnostics/diagnostics.ts";
import type { ActorRef } from "../../otp/actor-ref.ts";
import type { RateLimiterApi } from "../../policy/rate-limiter/rate-limiter-api.ts";
import type { ListenAddress } from "../../socket/http-server.ts";
import type { BroadcastOptions, PushOptions } from "../../socket/pushes/push-options.ts";
import type { PushTarget } from "../../socket/pushes/push-targets.ts";
import type { PushedService } from "../../sync/push/config-pusher.ts";
import type { PushOutcome } from "../../sync/push/push.ts";
import type { Reloaded, ReloadOptions } from "../options/reload-options.ts";
import type { StopOptions } from "../options/stop-options.ts";
import type { ConfigCache } from "./config-cache.ts";
import type { Nodes } from "./nodes.ts";

/** A service's functions, pushed in the name of a node. */
export interface HostPush extends PushedService {
  /** The node that runs them. */
  readonly node: string;
}

/** A running gateway. */
export interface Gateway extends AsyncDisposable {
  /** The gateway's name in telemetry and for nodes. */
  readonly name: string;
  /** The address for clients; undefined while it does not listen. */
  readonly address: ListenAddress | undefined;
  /** The address of the admin listener; undefined without one. */
  readonly adminAddress: AdminListen | undefined;
  /** The functions it knows. */
  readonly configCache: ConfigCache;
  /** The rate limits and their counts. */
  readonly rateLimiter: RateLimiterApi;
  /** The service nodes that are or were connected to it. */
  readonly nodes: Nodes;
  /** Health, statistics and dry runs: views that change nothing. */
  readonly diagnostics: Diagnostics;
  /** Always resolves: with `{reason: "stopped"}`, or with the error that ended the tree. */
  readonly closed: Promise<Closed>;
  /**
   * Calls a function as a client would, through the same pipeline.
   * @returns its result
   * @throws GenApiError with the code of the failed Response; its `cause` is the function's own error, which no client
   * sees
   */
  call<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Result>;
  /**
   * Calls a function.
   * @returns the Response as a client would get it; never rejects
   */
  request<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Response<Result>>;
  /**
   * The chunks of a stream function, as fast as the caller takes them; leaving the loop ends the stream.
   * @throws GenApiError as {@link call}
   */
  stream<Chunk = unknown>(request: HostRequest, options?: HostCallOptions): AsyncGenerator<Chunk, void, void>;
  /**
   * Sends a message to everybody who has joined a topic of this gateway: `channel.on(event, …)` of their clients gets
   * the payload. It returns at once. Each receiver gets it at most once, and the messages of one topic in their order; a
   * client that does not read its messages loses its socket.
   *
   * @param event none of `phx_*`, `cancel`, `stop_stream`, `ack`, `resume` and the channel's own event
   * @param payload any JSON value, at most `socket.maxPushBytes`. @default {}
   * @throws GenApiError `invalid_option` for a wrong argument; `not_found` if no channel has such a topic; `unavailable`
   * while too much waits to be sent
   */
  broadcast(topic: string, event: string, payload?: unknown, options?: BroadcastOptions): void;
  /**
   * Sends a message to every socket of one client, once to each: on the topic of the options, else on the one that the
   * socket joined first. Sockets without such a topic, and clients without sockets, get nothing. It returns at once.
   *
   * @param target the `id` or the `userId` that `connect` gave
   * @throws GenApiError as {@link broadcast}
   */
  push(target: PushTarget, event: string, payload?: unknown, options?: PushOptions): void;
  /**
   * What it offers now, as plain data: services, functions, versions, arguments, schemas, permissions, limits,
   * deprecations. See docs/describing.md.
   *
   * @param identity describes only what this identity may call. @default everything
   * @throws GenApiError `invalid_option` for an identity that is none
   */
  describe(identity?: DescribedIdentity): GatewayDescription;
  /**
   * Closes (1001) every connection to which `connect` gave this `id`.
   * @returns how many it closed
   */
  disconnect(id: string): number;
  /**
   * Pushes functions in the name of a service node, as the node itself would: they run there, and are removed when the
   * node pushes without them or has come and gone.
   * @param options `force` pushes even if the gateway already has this version
   * @throws GenApiError `permission_denied` unless the option `adminActions` lists `push_config`; `noproc` without
   * `cluster`; `invalid_request` for a push that is too large
   */
  pushConfig(push: HostPush, options?: { readonly force?: boolean }): Promise<PushOutcome>;
  /**
   * Imports the modules of a service's functions anew, while clients stay connected and calls go on: new calls get the new
   * code, calls and streams that run end with the code they began with. See docs/reloading.md.
   *
   * @returns when new calls get the new code
   * @throws GenApiError with nothing changed: `module_unreadable`, `function_missing` or `invalid_config`, naming what is
   * wrong with the new code; `not_found` for an unknown service; `invalid_option` for one whose functions run elsewhere;
   * `unavailable` while too many earlier versions still run calls, or the threads are not there; `stopped`
   */
  reload(service: string, options?: ReloadOptions): Promise<Reloaded>;
  /**
   * Sets whether clients see the message of an `internal` error from now on.
   * @throws GenApiError `permission_denied` unless the option `adminActions` lists `change_detail_error`
   */
  setDetailError(detailError: boolean): void;
  /**
   * Answers `GET /healthz` and `GET /readyz` on a host's own server: call it first in its request listener. The
   * gateway's own server answers them by itself.
   * @returns false, and leaves the request alone, if it is neither of the two
   */
  handleProbe(this: void, request: IncomingMessage, response: ServerResponse): boolean;
  /**
   * Takes an upgrade request from the host's own server, for hosts that route these themselves: other libraries on the
   * same server often answer requests that are for the gateway. It needs neither the option `server` nor `listen`; both
   * clients and nodes of `link()` can connect through it. While the gateway stops, and afterwards, it answers 503.
   *
   * @param request from the server's `upgrade` event, like `socket` and `head`
   * @returns true if the gateway has the socket, from this or an earlier call: nothing is left to do. False if the path
   * is not the gateway's; the socket was left alone
   * @throws GenApiError `invalid_request` for arguments that are not those of an `upgrade` event
   */
  handleUpgrade(this: void, request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /**
   * Finds the actor that is registered under `name` now, among the option `children` and what is below them. "children"
   * is the name of their supervisor. Hooks and functions on the main thread call `whereis` of `gen-api/otp` instead.
   */
  whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined;
  /** The current supervision tree. */
  tree(): TreeNode;
  /**
   * Lets an XState inspection observer watch every actor: first those that exist, then every event.
   *
   * @returns a function that detaches the observer
   * @throws GenApiError `invalid_option`
   */
  inspect(inspection: InspectionObserver | Inspection): () => void;
  /**
   * Stops in good order: new requests are `unavailable`, clients are notified (`phx_error` with the reason "draining")
   * and closed (1012) as their calls end, and the tree stops in reverse order of its start. Further calls wait for the
   * same end.
   *
   * @throws GenApiError (as a rejection) `invalid_option` for invalid times; the gateway then keeps running
   */
  stop(options?: StopOptions): Promise<Closed>;
}
