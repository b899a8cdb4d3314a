import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type ErrorCode, type GenApiError, isGenApiError, messageOf, toError } from "../core/errors.ts";
import { internalMessage } from "../core/failures.ts";
import { guardSocket } from "../core/net/guard-socket.ts";
import { listenFailed } from "../core/net/listen-failed.ts";
import { refusePipelines } from "../core/net/pipelined-requests.ts";
import { readTarget } from "../core/net/request-target.ts";
import { WaitingSockets } from "../core/net/waiting-sockets.ts";
import type { Clock } from "../core/time/clock.ts";
import { reportDrops } from "../telemetry/dropped-sockets.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { readBody } from "./admin-body.ts";
import { adminGuard } from "./admin-guard.ts";
import { type AdminAnswer, type AdminPieces, type AdminRequest, type AdminRoute, json } from "./admin-route.ts";
import { send, sendPieces } from "./send-answer.ts";

const refuse = telemetryEvent("admin.refuse");
const exception = telemetryEvent("admin.exception");

/** Address of an admin listener: a port, or a socket in the file system. */
export type AdminListen = { readonly host: string; readonly port: number } | { readonly path: string };

/** The parts of an admin server. */
export interface AdminServerOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly listen: AdminListen;
  readonly token: string;
  readonly allowedHosts: readonly string[];
  readonly routes: readonly AdminRoute[];
}

/** Callbacks of an admin server. */
export interface AdminServerListener {
  onListening(address: AdminListen): void;
  /** Called with a GenApiError `listen_failed`, or with the error of a server that was listening. */
  onError(error: Error): void;
}

// Time limit for headers and body, and the most connections that have not shown the token.
const receiveMs = 10_000;
const maxStrangers = 64;
const answerMs = 10_000;

/**
 * Opens the server of an admin listener.
 * @returns a function that closes it, with every connection
 */
export function openAdminServer(options: AdminServerOptions, events: AdminServerListener): () => void {
  const { listen, gateway, clock } = options;
  const strangers = new WaitingSockets(maxStrangers, reportDrops(gateway, "admin", clock), clock);
  const answer = requestListener(options, strangers);
  const server = createServer(
    { headersTimeout: receiveMs, requestTimeout: receiveMs, connectionsCheckingInterval: 1_000 },
    refusePipelines((request, response) => {
      answer(request, response).catch((thrown) => {
        // A bug in the listener costs this request, not the process.
        exception.emit(
          { system_time: clock.systemTime() },
          { gateway, path: request.url ?? "", error: toError(thrown) },
        );
        response.destroy();
      });
    }),
  );
  // Limits clients that do not read their answer.
  server.timeout = receiveMs;
  server.on("connection", (socket) => {
    guardSocket(socket);
    strangers.add(socket);
  });
  let isClosed = false;
  let hasRetried = false;
  const where = "path" in listen ? `unix:${listen.path}` : `${listen.host} port ${listen.port}`;
  const failed = (cause: NodeJS.ErrnoException) =>
    listenFailed({ by: "operators", where, option: "admin.listen" }, cause);
  const start = () => {
    if (!isClosed) server.listen(listen);
  };
  server.on("listening", () => {
    // A client that can connect still needs the token.
    if ("path" in listen) chmodSync(listen.path, 0o600);
    events.onListening(boundTo(server, listen));
  });
  server.on("error", (cause: NodeJS.ErrnoException) => {
    if (server.listening) events.onError(cause);
    else if (cause.code === "EADDRINUSE" && "path" in listen && !hasRetried) {
      hasRetried = true;
      removeStale(listen.path, start, () => events.onError(failed(cause)));
    } else events.onError(failed(cause));
  });
  try {
    start();
  } catch (error) {
    throw failed(toError(error));
  }
  return () => {
    isClosed = true;
    server.close();
    server.closeAllConnections();
  };
}

function boundTo(server: Server, listen: AdminListen): AdminListen {
  if ("path" in listen) return listen;
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port };
}

/** Removes the socket file that a killed process left behind, provided that no process answers there. */
function removeStale(path: string, removed: () => void, inUse: () => void): void {
  const probe = connect(path);
  probe.on("connect", () => {
    probe.destroy();
    inUse();
  });
  probe.on("error", ({ code }: NodeJS.ErrnoException) => {
    try {
      if (code !== "ECONNREFUSED" || !lstatSync(path).isSocket()) {
        inUse();
        return;
      }
      unlinkSync(path);
    } catch {
      // It is already gone, or must not be removed: listening will report that.
    }
    removed();
  });
}

function requestListener(options: AdminServerOptions, strangers: WaitingSockets) {
  const { gateway, clock, listen, token, allowedHosts, routes } = options;
  const guard = adminGuard({ token, host: "host" in listen ? listen.host : null, allowedHosts });
  const byPath = new Map<string, AdminRoute[]>();
  for (const route of routes) byPath.set(route.path, [...(byPath.get(route.path) ?? []), route]);

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refused = guard(request);
    if (refused !== null) {
      const { status, reason } = refused;
      if (refuse.active) {
        const address = request.socket.remoteAddress ?? "unix";
        refuse.emit({ system_time: clock.systemTime() }, { gateway, address, status, reason });
      }
      const code = status === 401 ? "unauthenticated" : "permission_denied";
      send(response, request, errorAnswer(status, code, reason), { "www-authenticate": "Bearer" });
      return;
    }
    strangers.delete(request.socket);
    // The answer itself may take longer.
    request.socket.setTimeout(0);
    const { path, query } = readTarget(request.url);
    const found = byPath.get(path);
    if (found === undefined) {
      send(response, request, errorAnswer(404, "not_found", `There is nothing at ${path}`));
      return;
    }
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = found.find((each) => each.method === method);
    if (route === undefined) {
      const allow = found.map((each) => each.method).join(", ");
      const answer = errorAnswer(405, "invalid_request", `${path} takes ${allow}`);
      send(response, request, answer, { allow });
      return;
    }
    const body = method === "POST" ? await readBody(request) : { value: undefined };
    if (response.destroyed) return;
    if ("refused" in body) send(response, request, body.refused);
    else await serve(route, { query: new URLSearchParams(query), body: body.value }, request, response);
  };

  async function serve(
    route: AdminRoute,
    asked: Omit<AdminRequest, "signal">,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    const abort = () => controller.abort();
    response.once("close", abort);
    const { timeoutMs = answerMs } = route;
    let timer: unknown;
    const late = new Promise<AdminAnswer>((resolve) => {
      timer = clock.setTimeout(() => {
        resolve(errorAnswer(504, "timeout", `${route.path} took longer than ${timeoutMs} ms`));
        abort();
      }, timeoutMs);
    });
    try {
      const answer = await Promise.race([answerOf(route, { ...asked, signal }), late]);
      if ("pieces" in answer) await sendPieces(response, answer, signal);
      else send(response, request, answer);
    } finally {
      clock.clearTimeout(timer);
    }
  }

  async function answerOf(route: AdminRoute, asked: AdminRequest): Promise<AdminAnswer | AdminPieces> {
    try {
      return await route.answer(asked);
    } catch (thrown) {
      if (isGenApiError(thrown)) return errorAnswer(statusOf(thrown), thrown.code, messageOf(thrown));
      exception.emit({ system_time: clock.systemTime() }, { gateway, path: route.path, error: toError(thrown) });
      return errorAnswer(500, "internal", internalMessage);
    }
  }
}

function errorAnswer(status: number, code: ErrorCode, message: string): AdminAnswer {
  return json({ error: { code, message } }, status);
}

const statuses: Partial<Record<ErrorCode, number>> = {
  invalid_request: 400,
  invalid_argument: 400,
  permission_denied: 403,
  not_found: 404,
  disabled: 404,
  unavailable: 503,
  noproc: 503,
  stopped: 503,
  timeout: 504,
};

function statusOf({ code }: GenApiError): number {
  return statuses[code] ?? 500;
}
