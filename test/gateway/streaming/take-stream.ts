import fc from "fast-check";
import { expect } from "vitest";
import type { Cut, CuttingNetwork } from "../../support/network/cutting-network.ts";
import { connectRaw, type Frame, type RawClient } from "../../support/network/raw-client.ts";

/** A Response of a stream with a window. */
export interface Received {
  readonly seq: number;
  readonly result: unknown;
  readonly has_more: boolean;
  readonly success: boolean;
}

/** A stream of the service of `test/fixtures/streams/counted.js`, and what happens to its sockets. */
export interface StreamPlan {
  readonly requestType: string;
  readonly chunks: number;
  readonly size: number;
  readonly window: number;
  /** After how many chunks the client acknowledges, at most its window. */
  readonly every: number;
  readonly cuts: readonly Cut[];
  /** Over which network each socket goes, in turn. */
  readonly ways: readonly number[];
}

let count = 0;

/** Takes a whole stream over as many sockets as it needs. */
export async function takeStream(
  { requestType, chunks, size, window, every, cuts, ways }: StreamPlan,
  networks: readonly CuttingNetwork[],
): Promise<Received[]> {
  const id = `r${++count}`;
  const received: Received[] = [];
  const lastSeq = () => received.at(-1)?.seq ?? 0;
  let token: string | null = null;
  let acknowledged = 0;
  const left = [...cuts];
  let sockets = 0;
  const next = async () => {
    const network = networks[(ways[sockets++ % ways.length] as number) % networks.length] as CuttingNetwork;
    const client = await connectRaw(`ws://127.0.0.1:${network.port}/socket/websocket?vsn=2.0.0`);
    return { network, client };
  };

  /** Receives over one socket; resolves when it is cut, or with the end. */
  async function receive(client: RawClient, network: CuttingNetwork): Promise<boolean> {
    let isCut = false;
    const cut = left.shift();
    const lost = cut === undefined ? client.closed : network.cutAfter(cut);
    const whenLost = Promise.race([lost, client.closed]).then(() => {
      isCut = true;
      return null;
    });
    const next = async (matches: (frame: Frame) => boolean) => {
      const frame = client.next(matches).catch(() => null);
      return isCut ? null : Promise.race([frame, whenLost]);
    };
    client.send(["1", "1", "api:x", "phx_join", {}]);
    const send = (ref: string | null, event: string, payload: object) => {
      if (client.socket.readyState === client.socket.OPEN) client.send(["1", ref, "api:x", event, payload]);
    };
    send("2", "resume", { request_id: id, resume_token: token, seq: lastSeq() });
    const reply = await next((frame) => frame[3] === "phx_reply" && frame[1] === "2");
    if (reply === null) return false;
    expect(reply[4]).toEqual({ status: "ok", response: {} });
    // The last one may be lost.
    send(null, "ack", { request_id: id, seq: acknowledged });
    for (;;) {
      const frame = await next((frame) => frame[3] === "api");
      if (frame === null) return false;
      const response = frame[4] as Received;
      received.push(response);
      if (response.seq % every === 0) {
        acknowledged = response.seq;
        send(null, "ack", { request_id: id, seq: acknowledged });
      }
      if (!response.has_more) return true;
    }
  }

  const { client: first } = await next();
  await first.join("api:x", "1");
  const args = { name: id, to: chunks, size };
  const request = { service: "counted", request_type: requestType, request_id: id, args, window, resume: true };
  first.send(["1", "2", "api:x", "api", request]);
  token = ((await first.next((frame) => frame[3] === "api"))[4] as { resume_token: string }).resume_token;
  // From here on it may be cut at any byte; the first socket is abandoned at once, and still looks alive.
  for (;;) {
    const { client, network } = await next();
    if (await receive(client, network)) break;
  }
  for (const network of networks) network.spare();
  const { client: last } = await next();
  await last.join("api:x", "1");
  last.send(["1", "2", "api:x", "resume", { request_id: id, resume_token: token, seq: lastSeq() }]);
  // Unless the end was acknowledged.
  const reply = (await last.reply("2"))[4] as { response: object };
  expect([{}, { reason: "not_found" }]).toContainEqual(reply.response);
  last.send(["1", "3", "api:x", "resume", { request_id: id, resume_token: token, seq: lastSeq() }]);
  expect((await last.reply("3"))[4]).toEqual({ status: "error", response: { reason: "not_found" } });
  await last.close();
  first.socket.terminate();
  return received;
}

/** Any plan, over so many networks. */
export const streamPlans = (networks: number): fc.Arbitrary<StreamPlan> =>
  fc
    .record({
      requestType: fc.constantFrom("on_worker", "on_main"),
      chunks: fc.nat(150),
      size: fc.constantFrom(0, 10, 3_000),
      window: fc.integer({ min: 1, max: 40 }),
      part: fc.double({ min: 0.05, max: 1, noNaN: true }),
      cuts: fc.array(
        fc.record({ afterBytes: fc.nat(6_000), how: fc.constantFrom("cut" as const, "half-open" as const) }),
        { maxLength: 8 },
      ),
      ways: fc.array(fc.nat(networks - 1), { minLength: 1, maxLength: 6 }),
    })
    .map(({ part, ...rest }) => ({ ...rest, every: Math.max(1, Math.floor(part * rest.window)) }));

/** Each chunk has come once, in order, and one end. */
export function expectWhole(received: readonly Received[], { chunks }: StreamPlan): void {
  expect(received.map(({ seq }) => seq)).toEqual(Array.from({ length: chunks + 1 }, (_, at) => at + 1));
  expect(received.map(({ result }) => (result === null ? null : Number.parseInt(String(result), 10)))).toEqual([
    ...Array.from({ length: chunks }, (_, at) => at + 1),
    null,
  ]);
  expect(received.filter(({ has_more, success }) => !has_more && success)).toHaveLength(1);
}
