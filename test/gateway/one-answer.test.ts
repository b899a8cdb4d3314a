import fc from "fast-check";
import { type Gateway, startGenApi } from "gen-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import service, { deadlyTypes, harmlessTypes } from "../fixtures/one-answer.js";
import { urlOf } from "../support/gateway.ts";
import { connectRaw, type Frame, type RawClient } from "../support/network/raw-client.ts";

let gateway: Gateway;
let client: RawClient;
beforeAll(async () => {
  gateway = await startGenApi({
    logger: false,
    listen: { port: 0 },
    channels: [{ topic: "api:*", event: "api" }],
    functions: [service],
    maxResultBytes: 10_000,
    workerPool: {
      threads: 2,
      wedgeGraceMs: 150,
      circuitBreakerThreshold: 1_000_000,
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    },
  });
  client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
  await client.join("api:x", "1");
});
afterAll(async () => {
  await gateway.stop();
  await client.closed;
});

interface WireResponse {
  readonly request_id: string;
  readonly success: boolean;
  readonly async: boolean;
  readonly has_more: boolean;
  readonly result: unknown;
}

/** All that came for one request. */
interface Answers {
  readonly requestType: string;
  readonly replies: unknown[];
  readonly responses: WireResponse[];
}

/** Whether a Response may be followed by another: an async call's acknowledgement, a stream's chunk. */
function isPreliminary(requestType: string, { async, has_more }: WireResponse): boolean {
  return requestType.includes("_async_") ? async : has_more;
}

/** What is wrong with a request's answers; null when nothing is. */
function faultOf({ requestType, replies, responses }: Answers): string | null {
  const finals = responses.filter((response) => !isPreliminary(requestType, response));
  const [, responseType] = requestType.split("_");
  const wasRefused = /denied|needs_an_argument/.test(requestType);
  if (replies.length !== 1) return `${replies.length} replies`;
  if (responseType === "none" && !wasRefused) {
    return responses.length === 0 ? null : `${responses.length} Responses to an accepted none`;
  }
  if (finals.length !== 1) return `${finals.length} final Responses`;
  if (responses.at(-1) !== finals[0]) return "a Response after the final one";
  if (wasRefused && responses.length !== 1) return "an acknowledgement of a refused request";
  if (responseType === "async" && responses.length > 2) return "two acknowledgements";
  const inits = responses.filter(({ result, has_more }) => result === "init" && has_more);
  if (responseType === "stream" && !wasRefused && (inits.length !== 1 || responses[0] !== inits[0]))
    return "no init first";
  return null;
}

/** A request, and with what its client ends it at once. */
interface Sent {
  readonly requestType: string;
  readonly endBy: "cancel" | "stop_stream" | null;
}

let count = 0;

/** Sends requests in one go, and resolves with their answers when each should have all of its own. */
async function answersOf(requests: readonly Sent[]): Promise<Map<string, Answers>> {
  const answers = new Map<string, Answers>();
  const take = ([, ref, , event, payload]: Frame): void => {
    if (event === "phx_reply") answers.get(ref as string)?.replies.push(payload);
    else answers.get((payload as WireResponse).request_id)?.responses.push(payload as WireResponse);
  };
  for (const { requestType, endBy } of requests) {
    const id = `r${++count}`;
    answers.set(id, { requestType, replies: [], responses: [] });
    send(id, requestType);
    if (endBy !== null) client.send(["1", `${endBy} ${id}`, "api:x", endBy, { request_id: id }]);
  }
  const isDone = (answered: Answers) => {
    const { requestType, replies, responses } = answered;
    const last = responses.at(-1);
    const isAccepted = requestType.includes("_none_") && !/denied|needs_an_argument/.test(requestType);
    return replies.length > 0 && (isAccepted || (last !== undefined && !isPreliminary(requestType, last)));
  };
  while (![...answers.values()].every(isDone)) take(await client.next());
  await quiescence();
  for (const frame of client.frames.splice(0)) take(frame);
  return answers;
}

function send(id: string, request_type: string, args: object = {}): void {
  client.send(["1", id, "api:x", "api", { service: "one_answer", request_type, request_id: id, args }]);
}

/** What was to come late has come: timers that were set before these have run, and both threads answer. */
async function quiescence(): Promise<void> {
  const ids = Array.from({ length: 4 }, () => `pause${++count}`);
  for (const id of ids) send(id, "pause");
  const isAbout = (id: string) => (frame: Frame) =>
    frame[1] === id || (frame[3] === "api" && (frame[4] as WireResponse).request_id === id);
  for (const id of ids) {
    await client.next(isAbout(id));
    await client.next(isAbout(id));
  }
  const echo = `echo${++count}`;
  send(echo, "echo", { msg: "still here" });
  expect((await client.next(isAbout(echo)))[4]).toMatchObject({ result: "still here" });
  await client.reply(echo);
  await client.settled();
}

function faultsOf(answers: Map<string, Answers>): string[] {
  return [...answers].flatMap(([id, answered]) => {
    const fault = faultOf(answered);
    return fault === null ? [] : [`${answered.requestType}: ${fault}: ${JSON.stringify({ id, ...answered })}`];
  });
}

const alone = (requestType: string): Sent => ({ requestType, endBy: null });

test("every function, each kind all at once, has exactly one final Response; an accepted none has none", async () => {
  expect(faultsOf(await answersOf(harmlessTypes.map(alone)))).toEqual([]);
  expect(faultsOf(await answersOf(deadlyTypes.map(alone)))).toEqual([]);
});

const endBy = fc.oneof(
  { weight: 8, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom("cancel" as const, "stop_stream" as const) },
);
const harmless = fc.record({ requestType: fc.constantFrom(...harmlessTypes), endBy });
const deadly = fc.record({ requestType: fc.constantFrom(...deadlyTypes), endBy });
const mixture = fc.array(fc.oneof({ weight: 12, arbitrary: harmless }, { weight: 1, arbitrary: deadly }), {
  minLength: 20,
  maxLength: 80,
  size: "max",
});

test("so has every request of a random mixture, some of them cancelled or stopped", async () => {
  await fc.assert(
    fc.asyncProperty(mixture, async (requests) => {
      expect(faultsOf(await answersOf(requests))).toEqual([]);
    }),
    { numRuns: 15, endOnFailure: true },
  );
});
