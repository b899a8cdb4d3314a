import { afterEach } from "vitest";
import type { GenApiError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/core/time/clock.ts";
import type { CancelReason } from "../../src/execution/worker-call.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "../../src/node/calls/remote-call.ts";
import { GatewaySession, type GatewaySessionHost, gatewaySessionDefaults } from "../../src/node/gateway-session.ts";
import { randomNonce } from "../../src/node/greeting/proof.ts";
import { type PushToken, serviceTokens } from "../../src/node/greeting/push-token.ts";
import { NodeSession, type NodeSessionHost, nodeSessionDefaults } from "../../src/node/node-session.ts";
import { NodeTable } from "../../src/node/node-table.ts";
import type { Pipe, PipeReceiver } from "../../src/node/wire/pipe.ts";

const opened: (GatewaySession | NodeSession)[] = [];

afterEach(() => {
  for (const session of opened.splice(0)) session.close("the test is over");
});

/** A gateway's sessions, with a note of everything that its host is told. */
export function createGatewayHost(options: Partial<GatewaySessionHost> & { pushToken?: PushToken } = {}) {
  const clock = options.clock ?? systemClock;
  const table = new NodeTable(options.gateway ?? "gateway", clock);
  const sessions: GatewaySession[] = [];
  const refusals: { node: string | null; reason: string }[] = [];
  const downs: { node: string | undefined; reason: string }[] = [];
  const { pushToken, ...rest } = options;
  const host: GatewaySessionHost = {
    ...gatewaySessionDefaults,
    gateway: "gateway",
    clock,
    tokens: serviceTokens(pushToken),
    nonce: randomNonce,
    admit: (identity) => table.admit(identity),
    up: (session) => table.up(session),
    leaving: () => table.leaving(),
    listenerThrew: (session, call, error) => table.listenerThrew(session, call, error),
    down(session, reason) {
      downs.push({ node: session.identity?.node, reason });
      table.down(session, reason);
    },
    refused: (_peer, node, reason) => void refusals.push({ node, reason }),
    asked: async (_session, name, body) => ({ name, body }),
    ...rest,
  };
  const connected = (pipe: Pipe): PipeReceiver => {
    const session = new GatewaySession(pipe, host);
    sessions.push(session);
    opened.push(session);
    return session.receiver;
  };
  return { host, table, sessions, refusals, downs, connected };
}

/** A service node's sessions, with a note of everything that its host is told. */
export function createNodeHost(options: Partial<NodeSessionHost> = {}) {
  const sessions: NodeSession[] = [];
  const refusals: GenApiError[] = [];
  const downs: string[] = [];
  const host: NodeSessionHost = {
    ...nodeSessionDefaults,
    node: "node_1",
    services: ["users"],
    instance: "instance_1",
    clock: systemClock,
    token: null,
    executor: new ScriptedExecutor(),
    nonce: randomNonce,
    up: () => undefined,
    down: (_session, reason) => void downs.push(reason),
    refused: (_session, error) => void refusals.push(error),
    ...options,
  };
  const connected = (pipe: Pipe): PipeReceiver => {
    const session = new NodeSession(pipe, host);
    sessions.push(session);
    opened.push(session);
    return session.receiver;
  };
  return { host, sessions, refusals, downs, connected };
}

/** What a node was given to run: the test answers it. */
export class ScriptedExecutor implements RemoteNode {
  readonly calls: RemoteCall[] = [];
  readonly streams: RemoteStream[] = [];
  readonly cancelled: { requestType: string; reason: CancelReason }[] = [];
  readonly grants: number[] = [];
  readonly acknowledged: number[] = [];
  /** What is done with a call. @default the test does it */
  onCall: (call: RemoteCall) => void = () => undefined;
  onStream: (stream: RemoteStream) => void = () => undefined;
  onGrant: (chunks: number) => void = () => undefined;

  run(call: RemoteCall) {
    this.calls.push(call);
    this.onCall(call);
    return { cancel: (reason: CancelReason) => void this.cancelled.push({ requestType: call.requestType, reason }) };
  }

  stream(stream: RemoteStream) {
    this.streams.push(stream);
    this.onStream(stream);
    return {
      cancel: (reason: CancelReason) => void this.cancelled.push({ requestType: stream.requestType, reason }),
      grant: (chunks: number) => {
        this.grants.push(chunks);
        this.onGrant(chunks);
      },
      acknowledge: (chunks: number) => void this.acknowledged.push(chunks),
    };
  }
}

const target = {
  service: "users",
  requestType: "get_user",
  version: "1.0.0",
  module: "users",
  moduleName: "users",
  ofService: false,
  function: "getUser",
  args: [] as unknown[],
  identity: null,
  trace: null,
  maxResultBytes: 8 * 1024 * 1024,
};

/** How a call ended. */
export type Outcome = { json: string } | { code: string; begun: boolean; error: GenApiError };

/** A call whose outcome is kept; a second one would be told. */
export function createCall(options: Partial<RemoteCall> = {}) {
  const outcomes: Outcome[] = [];
  let settle: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  const end = (last: Outcome) => {
    outcomes.push(last);
    settle(last);
  };
  const call: RemoteCall = {
    ...target,
    isCast: false,
    succeeded: (json) => end({ json }),
    failed: (error, begun) => end({ code: error.code, begun, error }),
    ...options,
  };
  return { call, outcome, outcomes };
}

/** A stream whose chunks and outcome are kept. */
export function createStream(options: Partial<RemoteStream> = {}) {
  const chunks: string[] = [];
  let settle: (outcome: Outcome | { last: string | null }) => void;
  const outcome = new Promise<Outcome | { last: string | null }>((resolve) => {
    settle = resolve;
  });
  const stream: RemoteStream = {
    ...target,
    requestType: "watch_user",
    chunk: (json) => void chunks.push(json),
    ended: (last) => settle({ last }),
    failed: (error, begun) => settle({ code: error.code, begun, error }),
    ...options,
  };
  return { stream, chunks, outcome };
}
