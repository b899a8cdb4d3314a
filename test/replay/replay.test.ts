import { readFileSync } from "node:fs";
import { type Gateway, type GatewayOptions, type ServiceNode, startGenApi, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { funConfigs, missingFunction, serviceNode } from "../fixtures/replay/fun-configs.js";
import { urlOf } from "../support/gateway.ts";
import type { Frame, RawClient } from "../support/network/raw-client.ts";
import { differences, type Expected } from "./differences.ts";
import { type Recorded, recording } from "./recording.ts";
import { replay } from "./replay.ts";

const modules = { functions: new URL("../fixtures/replay/functions.js", import.meta.url) };

/** The recorded application's gateway. */
const options: GatewayOptions = {
  listen: { port: 0 },
  socket: {
    connect: ({ params: { user_id, device_id, roles } }) => ({
      userId: textOf(user_id),
      deviceId: textOf(device_id),
      userRoles: textOf(roles)?.split(",") ?? [],
    }),
  },
  channels: [
    { topic: "api:*", event: "api", requireVerifiedUserId: true },
    { topic: "pub:*", event: "api" },
    { topic: "noov:*", event: "api", overrideUserId: false },
  ],
  cluster: link(),
  modules,
  functions: funConfigs as GatewayOptions["functions"] & object,
  // One thread: what is sent first and takes no time is answered first.
  workerPool: { threads: 1 },
};

/** How many frames come before the recorded client sent its second, third, …; all other clients sent at once. */
const sendAfter: Readonly<Record<string, readonly number[]>> = {
  "stream stopped early via app event stop_stream": [0, 5],
  "leave channel during stream": [0, 3],
  "raw: rejoin after channel crash, then echo": [0, 2, 4],
};

const expectations = new Map<string, Expected>(differences.flatMap(({ cases }) => Object.entries(cases)));
const page = readFileSync(new URL("../../docs/differences.md", import.meta.url), "utf8").replaceAll(/\s+/g, " ");

let gateway: Gateway;
let node: ServiceNode;
const clients: RawClient[] = [];
beforeAll(async () => {
  gateway = await startGenApi(options);
  // Its functions are the host's, as in the recording; it pushes none of its own.
  node = await startServiceNode({
    logger: false,
    name: serviceNode,
    service: "bench",
    modules,
    pushOnStartup: false,
    workerPool: { threads: 1 },
    cluster: link({ gateways: [urlOf(gateway).replace("/socket", "/node")] }),
  });
  await node.connected();
});
afterAll(async () => {
  await node.stop();
  await gateway.stop();
});

async function replayed(recorded: Recorded, expected: readonly Frame[]) {
  const result = await replay(urlOf(gateway), recorded, expected.length, sendAfter[recorded.name]);
  clients.push(result.client);
  return result;
}

describe("a client sees the same frames as PhoenixGenApi's, in the same order", () => {
  const same = recording.filter(({ name }) => !expectations.has(name));
  test.each(same)("$name", async (recorded) => {
    const { frames, closed } = await replayed(recorded, recorded.received);
    expect(frames.map(withoutFailureKeys)).toEqual(recorded.received);
    expect(closed).toBe(recorded.closed[0]?.code ?? null);
  });
});

describe.each(differences)("but $line", ({ line, cases }) => {
  const different = recording.filter(({ name }) => Object.hasOwn(cases, name));
  test.each(different)("$name", async (recorded) => {
    const expected = expectations.get(recorded.name)?.(recorded) ?? [];
    const { frames } = await replayed(recorded, expected);
    expect(frames).toEqual(expected);
  });

  test("as docs/differences.md says, of recorded cases that are different", () => {
    expect(page).toContain(`**${line}**`);
    expect(Object.keys(cases).sort()).toEqual(different.map(({ name }) => name).sort());
    for (const recorded of different) {
      expect(expectations.get(recorded.name)?.(recorded).map(withoutFailureKeys)).not.toEqual(recorded.received);
    }
  });
});

test("what differs in many cases is in docs/differences.md: the keys of failures, and the reasons of closed sockets", () => {
  expect(page).toContain("**Failures say what they are.** Each carries an `error_code`");
  expect(page).toContain(
    "and where they apply `reason` or `retry_after_ms`: keys that PhoenixGenApi's Responses do not have",
  );
  expect(page).toContain("**When a client's message closes its socket, the close frame says why** in its reason");
});

test("the function that does not exist cannot be registered", async () => {
  await expect(gateway.configCache.add(missingFunction as never)).rejects.toMatchObject({ code: "function_missing" });
});

test("nothing more came on any socket", () => {
  expect(clients.map(({ frames }) => frames)).toEqual(clients.map(() => []));
});

/** Our failed Responses say more than the recorded ones. */
function withoutFailureKeys(frame: Frame): Frame {
  const [joinRef, ref, topic, event, payload] = frame;
  if (typeof payload !== "object" || payload === null || !("success" in payload) || payload.success) return frame;
  const { error_code, reason, retry_after_ms, ...recorded } = payload as Record<string, unknown>;
  return [joinRef, ref, topic, event, recorded];
}

function textOf(param: unknown): string | null {
  return typeof param === "string" ? param : null;
}
