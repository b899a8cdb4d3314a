import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";

const bound = 50 * 1024 * 1024;
const producedInAll = 10_000_000;

interface Measurement {
  /** Bytes. */
  readonly memory: number;
  /** The last chunk that the producer made. */
  readonly produced: number;
}

let gateway: ChildProcess;
let url: string;
beforeAll(async () => {
  const script = new URL("../fixtures/streams/stream-gateway.js", import.meta.url).pathname;
  gateway = fork(script, { execArgv: ["--expose-gc"] });
  [{ url }] = (await once(gateway, "message")) as [{ url: string }];
});
afterAll(async () => {
  const exited = once(gateway, "exit");
  gateway.disconnect();
  expect(await exited).toEqual([0, null]);
});

async function measure(): Promise<Measurement> {
  gateway.send("measure");
  const [measurement] = (await once(gateway, "message")) as [Measurement];
  return measurement;
}

/**
 * Measures until the producer stands still: its thread answered three times in a row, and it had made nothing meanwhile.
 * One that does not is measured once it has taken more than `maxMemory`.
 */
async function measureStalled(maxMemory: number): Promise<Measurement> {
  let last = await measure();
  for (let same = 1; same < 3 && last.memory < maxMemory; ) {
    const next = await measure();
    same = next.produced === last.produced ? same + 1 : 1;
    last = next;
  }
  return last;
}

/** A client that counts a stream's chunks, and keeps none. */
class CountingClient {
  /** Chunks that came, each the one after the chunk before. */
  inOrder = 0;
  /** What came that was neither init, nor the next chunk. */
  readonly others: unknown[] = [];
  readonly socket = new WebSocket(`${url}/websocket?vsn=2.0.0`);
  #look = (): void => undefined;

  async open(): Promise<void> {
    await once(this.socket, "open");
    this.socket.on("message", (data) => this.#take(JSON.parse(String(data))));
    this.send("1", "phx_join", {});
    await this.until(() => this.others.length === 1);
    this.others.length = 0;
  }

  send(ref: string, event: string, payload: object): void {
    this.socket.send(JSON.stringify(["1", ref, "api:x", event, payload]));
  }

  request(id: string, requestType: string, args: object = {}): void {
    this.send(id, "api", { service: "stream", request_type: requestType, request_id: id, args });
  }

  /** Resolves once it holds, looking after every message. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (holds()) resolve();
      };
      this.#look();
    });
  }

  async close(): Promise<void> {
    this.socket.close();
    await once(this.socket, "close");
  }

  #take([, , , , payload]: [unknown, unknown, string, string, { result?: { n?: number } | null }]): void {
    if (payload.result?.n === this.inOrder + 1) this.inOrder++;
    else this.others.push(payload);
    this.#look();
  }
}

const accepted = (requestType: string) => [
  expect.objectContaining({ result: "init", has_more: true }),
  { status: "ok", response: requestType },
];
const stopped = [
  { status: "ok", response: {} },
  expect.objectContaining({ success: true, result: null, async: true, has_more: false }),
];

const producers = ["worker_generator", "worker_writer", "main_generator", "main_async_generator", "main_writer"];

describe.each(producers)("a producer of 10 million chunks (%s)", (requestType) => {
  test("and a client that stops reading cost no memory; the client reads on where it stopped, and stops it", async () => {
    const client = new CountingClient();
    await client.open();
    const before = await measure();
    client.request("a", requestType);
    await client.until(() => client.inOrder >= 1_000);
    client.socket.pause();
    const stalled = await measureStalled(before.memory + bound);
    const hasRead = client.inOrder;
    expect(stalled.memory - before.memory).toBeLessThan(bound);
    // What is between them is in the buffers of both sockets.
    expect(stalled.produced).toBeGreaterThan(hasRead);
    expect(stalled.produced).toBeLessThan(producedInAll / 10);

    client.socket.resume();
    await client.until(() => client.inOrder >= stalled.produced + 10_000 || client.others.length > 2);
    client.send("stop", "stop_stream", { request_id: "a" });
    await client.until(() => client.others.length === 4);
    expect(client.others).toEqual([...accepted(requestType), ...stopped]);
    const after = await measureStalled(before.memory + bound);
    expect(after.memory - before.memory).toBeLessThan(bound);
    expect(after.produced).toBeLessThan(producedInAll);
    await client.close();
  });

  test("and a client that reads as fast as it can leave the others their turn", async () => {
    const [greedy, other] = [new CountingClient(), new CountingClient()];
    await Promise.all([greedy.open(), other.open()]);
    greedy.request("a", requestType);
    await greedy.until(() => greedy.inOrder >= 1_000);
    for (let call = 1; call <= 20; call++) {
      other.request(`call ${call}`, "echo", { msg: call });
      await other.until(() => other.others.length === 2 * call);
    }
    expect(other.others).toContainEqual(expect.objectContaining({ request_id: "call 20", result: 20 }));
    expect(greedy.inOrder).toBeLessThan(producedInAll);
    await Promise.all([greedy.close(), other.close()]);
  });
});
