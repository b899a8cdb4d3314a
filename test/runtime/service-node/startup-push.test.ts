import { expect, test } from "vitest";
import { libraryError } from "../../../src/core/errors.ts";
import type { NodeSession } from "../../../src/node/node-session.ts";
import { StartupPush } from "../../../src/runtime/service-node/startup-push.ts";
import { ConfigPusher } from "../../../src/sync/push/config-pusher.ts";
import { SimulatedClock, settled } from "../../support/simulated-clock.ts";

const pushers = ["users", "orders"].map((service) => new ConfigPusher({ service, functions: [] }));

/** A node's pushes to a gateway, of which the test says what it answers to the beginning of one. */
function open() {
  const clock = new SimulatedClock();
  const push = new StartupPush("node", pushers, true, clock);
  const begun: string[] = [];
  const gateway = {
    answer: (_service: string): unknown => ({ outcome: "skipped", reason: "version_matches" }),
  };
  const session = {
    gateway: "gateway",
    isUp: true,
    async ask(_name: string, body: { service: string }) {
      begun.push(body.service);
      return gateway.answer(body.service);
    },
  } as unknown as NodeSession;
  let isKnown = false;
  const known = push.known().then(() => {
    isKnown = true;
  });
  return { clock, push, begun, gateway, session, known, isKnown: () => isKnown };
}

const fails = () => {
  throw libraryError("timeout", "Not in time");
};

const refuses = () => {
  throw libraryError("invalid_request", "Not such ones");
};

test("A push that fails is tried again, until the gateway has the functions of every service", async () => {
  const { clock, push, begun, gateway, session, known, isKnown } = open();
  const { answer } = gateway;
  gateway.answer = (service) => (service === "orders" ? fails() : answer(service));
  push.gatewayUp(session);
  await settled();
  expect([begun, isKnown(), clock.pending]).toEqual([["users", "orders"], false, 1]);
  gateway.answer = answer;
  clock.advance(1_000);
  await known;
  expect(clock.pending).toBe(0);
  await push.known();
});

test("After a stop nothing more is pushed, nor tried again, though a push was under way", async () => {
  const { clock, push, begun, gateway, session } = open();
  let answered: (error: Error) => void = () => undefined;
  gateway.answer = () =>
    new Promise((_, reject) => {
      answered = reject;
    });
  push.gatewayUp(session);
  push.stop();
  answered(libraryError("timeout", "Not in time"));
  await settled();
  expect([begun, clock.pending]).toEqual([["users"], 0]);
});

test("A gateway that refused a service knows the functions when it takes that one from a push by hand", async () => {
  const { clock, push, gateway, session, known, isKnown } = open();
  const { answer } = gateway;
  gateway.answer = (service) => (service === "orders" ? refuses() : answer(service));
  push.gatewayUp(session);
  await settled();
  await expect(push.push(pushers[1] as ConfigPusher, session)).rejects.toMatchObject({ code: "invalid_request" });
  expect([isKnown(), clock.pending]).toEqual([false, 0]);
  gateway.answer = answer;
  await push.push(pushers[1] as ConfigPusher, session);
  await known;
});

test("Whoever waits for a gateway that never comes is told so at the end, before and after it", async () => {
  const { push, known } = open();
  push.close(libraryError("stopped", "The node has stopped"));
  await expect(known).rejects.toMatchObject({ code: "stopped" });
  await expect(push.known()).rejects.toMatchObject({ code: "stopped" });
});
