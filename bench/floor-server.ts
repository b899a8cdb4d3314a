import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Post } from "./socket/socket-service.js";

type Frame = [joinRef: string, ref: string, topic: string, event: string, payload: Payload];

/** What a request of the load says. */
export interface Payload {
  readonly service: string;
  readonly request_id: string;
  readonly request_type: string;
  readonly args: Post;
}

/** How a floor server gets a request's result: at once, or later. */
export type Execute = (payload: Payload) => unknown;

/**
 * The least that a program on `ws` can do for the answers of a gateway: no topics, no checks, no table of functions. It
 * corks each socket once for all that it answers together, and lets `uncorkSoon` say when that leaves, in one system call.
 *
 * @returns its port
 */
export async function startFloor(execute: Execute, uncorkSoon: (uncork: () => void) => void): Promise<number> {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: false,
    clientTracking: false,
  });
  server.on("connection", (ws, request) => serve(ws, request.socket, execute, uncorkSoon));
  await new Promise((resolve) => server.once("listening", resolve));
  return (server.address() as AddressInfo).port;
}

function serve(ws: WebSocket, socket: Duplex, execute: Execute, uncorkSoon: (uncork: () => void) => void): void {
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    socket.uncork();
  };
  const cork = (): void => {
    if (isCorked) return;
    isCorked = true;
    socket.cork();
    uncorkSoon(uncork);
  };
  const answer = ([joinRef, ref, topic, event, payload]: Frame, result: unknown): void => {
    cork();
    const response = {
      request_id: payload.request_id,
      result,
      success: true,
      error: null,
      async: false,
      has_more: false,
      can_retry: false,
    };
    ws.send(JSON.stringify([joinRef, null, topic, event, response]));
    ws.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: payload.request_type }]));
  };
  ws.on("message", (data) => {
    const frame = JSON.parse(data.toString()) as Frame;
    const [joinRef, ref, topic, event, payload] = frame;
    if (event === "phx_join") {
      ws.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]));
      return;
    }
    const result = execute(payload);
    // A rejection ends the process: the measurement would be of something else.
    if (result instanceof Promise) void result.then((later) => answer(frame, later));
    else answer(frame, result);
  });
}
