import { inspect as print } from "node:util";
import { createInspector } from "@statelyai/inspect";
import { type InspectedActor, type InspectedEvent, startServiceNode } from "gen-api";
import { nats } from "gen-api/nats";
import { expect, test } from "vitest";
import WebSocket from "ws";
import { actorOf } from "../../dist/actor/inspection/inspected-actor.js";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import leaky from "../fixtures/leaky.js";
import { keep, nextEvent, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

/** Keeps everything that can be got out of what an observer is given, at once and later. */
function spy() {
  const said = new Set<string>();
  const actors = new Set<InspectedActor>();
  const everything = { depth: Infinity, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null };
  const keepAll = (value: unknown) => said.add(print(value, everything)).add(JSON.stringify(value));
  const stately = createInspector({ send: keepAll });
  const failures: unknown[] = [];
  const next = (event: InspectedEvent) => {
    keepAll(structuredClone(JSON.parse(JSON.stringify(event))));
    keepAll(event);
    keepAll([event.actorRef.getSnapshot(), event.actorRef.logic]);
    actors.add(event.actorRef);
    stately.inspect.next?.(event);
  };
  const named = (name: string) => [...actors].findLast((actor) => actor.name === name || actor.id.startsWith(name));
  const later = () => {
    for (const actor of actors) keepAll([actor, actor.getSnapshot()]);
  };
  const observer = { next, error: (error: unknown) => void failures.push(error) };
  return { observer, failures, said, actors, named, later };
}

test("whatever secrets go through a gateway and its nodes, none reaches an observer", async () => {
  const secrets: string[] = [];
  const secret = (what: string) => {
    const text = `hush-${what}-${secrets.length}`;
    secrets.push(text);
    return text;
  };
  const ofGateway = spy();
  const ofNode = spy();
  const ofNatsNode = spy();
  const pushToken = secret("push-token");
  const gateway = await startGateway({
    inspect: ofGateway.observer,
    pushToken: [pushToken, secret("next-push-token")],
    intensity: { maxRestarts: 100, withinMs: 1_000 },
    socket: {
      connect: ({ params }) => {
        if (params.refuse) throw new Error(String(params.refuse));
        return {
          userId: secret("user-id"),
          userRoles: [secret("role")],
          deviceId: secret("device"),
          vault: secret("assign"),
        };
      },
    },
    channels: [
      {
        topic: "api:*",
        event: "api",
        join: ({ payload }) => {
          if ((payload as { fail?: string }).fail) throw new Error((payload as { fail: string }).fail);
          return { reply: secret("join-reply") };
        },
      },
    ],
    functions: [leaky],
    rateLimiter: { globalLimits: [{ key: "userId", maxRequests: 1_000, windowMs: 60_000 }] },
    adminActions: ["push_config", "update_rate_limit_config"],
    admin: { listen: "127.0.0.1:0", token: secret("admin-token-of-some-length-that-is-enough") },
    serviceConfigs: [
      { service: "pulled", nodes: ["nobody@x"], module: "m", function: "f", args: [secret("pull-argument")] } as never,
    ],
  });
  // Functions with arguments of their own, of the host and of a node.
  await gateway.configCache.add({
    service: "leaky",
    requestType: "bound",
    nodes: "local",
    timeout: 5_000,
    mfa: { module: "leaky", function: "echo", args: [secret("mfa-argument")] },
  } as never);
  const remote = { service: "remote", mfa: { module: "remote", function: "echo", args: [secret("pushed-argument")] } };
  const pushed = nextEvent("config.push", ({ metadata }) => metadata.node === "n");
  await startNode([gateway], {
    name: "n",
    service: "remote",
    pushToken,
    modules: { remote: new URL("../fixtures/leaky.js", import.meta.url) },
    functions: [{ ...remote, requestType: "echo", nodes: "local", timeout: 5_000 } as never],
    inspect: ofNode.observer,
  });
  keep(
    await startServiceNode({
      logger: false,
      name: "unreachable",
      workerPool: { threads: 1 },
      functions: [leaky],
      pushToken: secret("nats-push-token"),
      cluster: nats({ servers: "nats://127.0.0.1:1", user: secret("nats-user"), pass: secret("nats-password") }),
      inspect: ofNatsNode.observer,
    }),
  );
  await pushed;

  const url = urlOf(gateway);
  const client = keep(await connectClient(url, { params: { token: secret("connect-param") }, service: "leaky" }));
  for (const requestType of ["echo", "on_main", "throws", "throws_on_main", "refuses", "streams", "bound"]) {
    await client.request(requestType, { value: secret(requestType) }, { extra: secret("payload") });
  }
  const answers = client.channel;
  answers.push("api", {
    service: "leaky",
    request_type: "forgets",
    request_id: secret("none-id"),
    args: { value: secret("none") },
  });
  answers.push("api", {
    service: "leaky",
    request_type: "stays_open",
    request_id: secret("stream-id"),
    args: { value: secret("open") },
  });
  answers.push("cancel", { request_id: secret("cancelled-id") });
  await gateway.call({
    service: "remote",
    requestType: "echo",
    args: { value: secret("remote") },
    userId: secret("host-user"),
  });
  await gateway
    .call({ service: "leaky", requestType: "throws", args: { value: secret("host") } })
    .catch(() => undefined);
  await gateway.rateLimiter.reset(secret("limited-user") as never).catch(() => undefined);
  const failing = client.socket.channel("api:other", { fail: secret("join-payload") });
  await new Promise<void>((resolve) => void failing.join().receive("error", () => resolve()));
  const refused = new WebSocket(`${url}/websocket?vsn=2.0.0&refuse=${secret("refused-param")}`, {
    headers: { cookie: secret("cookie"), authorization: secret("authorization") },
  });
  await new Promise<void>((resolve) => void refused.on("error", () => resolve()));
  // Every actor says something of itself, but for those that XState makes of a promise.
  const living = [ofGateway, ofNode, ofNatsNode].flatMap(({ actors }) =>
    [...actors].filter((actor) => actor.getSnapshot().status === "active" && actor.behaviour !== "actor"),
  );
  const silent = living.filter((actor) => Object.keys(actor.getSnapshot().context).length === 0);
  expect(silent.map(({ path }) => path)).toEqual([]);
  for (const watching of [ofGateway, ofNode, ofNatsNode]) watching.later();

  // What a crash tells, of each kind of actor, while all that is held.
  const inert = [
    "config_cache",
    "rate_limiter",
    "config_receiver",
    "node_session_",
    "async_pool",
    "stream_",
    "connections",
  ];
  for (const name of inert) {
    const actor = ofGateway.named(name);
    if (actor !== undefined) kill(actorOf(actor));
  }
  for (const name of ["gateway_session_", "node_transport"]) {
    const actor = ofNode.named(name);
    if (actor !== undefined) kill(actorOf(actor));
  }
  for (const watching of [ofGateway, ofNode, ofNatsNode]) watching.later();
  // An inspector converts in turns of its own.
  await new Promise((resolve) => setTimeout(resolve, 0));
  await gateway.stop();
  await new Promise((resolve) => setTimeout(resolve, 0));

  for (const { said, actors, failures } of [ofGateway, ofNode, ofNatsNode]) {
    const everything = [...said].join("\n");
    expect(failures).toEqual([]);
    expect(actors.size).toBeGreaterThan(5);
    expect(secrets.filter((text) => everything.includes(text))).toEqual([]);
  }
  expect(secrets.length).toBeGreaterThan(30);
  expect([...ofGateway.actors].map(({ behaviour }) => behaviour)).toContain("machine");
  expect([...ofGateway.said].join("\n")).toContain("node_session_1");
});
