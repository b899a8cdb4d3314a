import type { RawClient } from "../support/network/raw-client.ts";
import { until } from "../support/until.ts";

/** A request of a burst, and whether it was answered as it has to be. */
export interface BurstRequest {
  readonly service: string;
  readonly requestType: string;
  readonly args: unknown;
  /** `event`: its request type is an event's name, whose reply is all. */
  readonly kind: "call" | "stream" | "none" | "event";
  /** What the request has beside its arguments. */
  readonly asks?: object | undefined;
  /** Shown where it is not answered. */
  readonly name: string;
}

interface Answers {
  replies: number;
  finals: number;
  /** Of an async call: that it was accepted. */
  firsts: number;
  error: string | null;
  code: string | null;
}

// Longer than any timeout of the gateway's functions.
const patienceMs = 22_000;

/**
 * Sends requests in one go and counts what comes.
 *
 * @returns of each request that did not get exactly one final Response and one reply, what came instead
 */
export async function burst(client: RawClient, topic: string, requests: readonly BurstRequest[]): Promise<string[]> {
  const answers = new Map<string, Answers>();
  const prefix = `burst-${++bursts}`;
  const idOf = (at: number): string => `${prefix}-${at}`;
  client.frames.length = 0;
  for (const [at, { service, requestType, args, kind, asks }] of requests.entries()) {
    answers.set(idOf(at), { replies: 0, finals: 0, firsts: 0, error: null, code: null });
    const request = { ...asks, service, request_type: requestType, request_id: idOf(at), args };
    client.send(["1", idOf(at), topic, ...(kind === "event" ? [requestType, args] : ["api", request])]);
  }
  const missing = (): string[] => requests.flatMap((request, at) => wrongIn(request, answers.get(idOf(at)) as Answers));
  const take = (): void => {
    for (const [, ref, , event, payload] of client.frames.splice(0)) {
      if (event === "phx_reply") count(answers.get(ref as string), null);
      else if (event === "api") count(answers.get((payload as { request_id: string }).request_id), payload as Payload);
    }
  };
  await until(() => {
    take();
    return missing().length === 0;
  }, patienceMs).catch(() => undefined);
  // What comes too often comes soon.
  await client.settled();
  take();
  return missing();
}

let bursts = 0;

interface Payload {
  readonly request_id: string;
  readonly success: boolean;
  readonly async: boolean;
  readonly has_more: boolean;
  readonly error: string | null;
  readonly error_code?: string;
}

function count(answers: Answers | undefined, payload: Payload | null): void {
  if (answers === undefined) return;
  if (payload === null) answers.replies++;
  else if (payload.has_more) answers.firsts++;
  else if (payload.async && answers.firsts === 0) answers.firsts++;
  else {
    answers.finals++;
    answers.error = payload.error;
    answers.code = payload.error_code ?? null;
  }
}

function wrongIn({ name, kind }: BurstRequest, { replies, finals, error, code }: Answers): string[] {
  const wrong: string[] = [];
  const expected = kind === "event" || (kind === "none" && code === null) ? 0 : 1;
  if (replies !== 1) wrong.push(`${name}: ${replies} replies`);
  if (finals !== expected) wrong.push(`${name}: ${finals} final Responses`);
  if (Buffer.byteLength(error ?? "") > 8 * 1024) wrong.push(`${name}: an error of ${error?.length} characters`);
  if (name.startsWith("neighbour") && code !== null) wrong.push(`${name}: ${code} ${error}`);
  return wrong;
}
