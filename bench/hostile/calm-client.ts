// The calm client's process: 50 calls a second, by turns of a function on the gateway's own thread and of one on a
// worker thread, and 5 short streams a second, over one anonymous socket. Calls are sent when they are due, whatever
// became of the others, and their time counts from then. The first argument is the gateway's port; for each message
// of the parent, this process waits for what is open and tells what it measured since the last.
import { once } from "node:events";
import { WebSocket } from "ws";

/** What became of the calls of one kind. */
export interface Calls {
  /** Of those that succeeded, in ascending order. */
  readonly latenciesMs: number[];
  failed: number;
}

/** By kind: where the function runs, or "stream". */
export type CalmReport = Readonly<Record<"main" | "worker" | "stream", Calls>>;

const everyMs = 20;
/** A call without an answer after this time has failed. */
const patienceMs = 10_000;
const types = { main: "echo_main", worker: "echo_worker", stream: "short_stream" };
type Kind = keyof typeof types;

interface Open {
  readonly kind: Kind;
  readonly due: number;
}

const port = Number(process.argv[2]);
const open = new Map<string, Open>();
let report = emptyReport();
let isPaused = false;
let ws = await connect();
setTimeout(next, everyMs, performance.now() + everyMs, 0);
process.on("message", answer);
process.on("disconnect", () => process.exit());
process.send?.("ready");

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
  await once(socket, "open");
  socket.send('["1","1","api:calm","phx_join",{}]');
  await once(socket, "message");
  socket.on("message", (data) => receive(String(data)));
  socket.on("error", () => socket.terminate());
  socket.on("close", () => lose());
  return socket;
}

/** Sends what is due, number `count` of all, and waits for the next. */
function next(due: number, count: number): void {
  if (!isPaused) {
    send(count % 2 === 0 ? "main" : "worker", count, due);
    if (count % 10 === 0) send("stream", count, due);
  }
  const later = due + everyMs;
  setTimeout(next, Math.max(0, later - performance.now()), later, count + 1);
}

function send(kind: Kind, count: number, due: number): void {
  const id = `${kind}-${count}`;
  open.set(id, { kind, due });
  if (ws.readyState !== WebSocket.OPEN) {
    fail(id);
    return;
  }
  const payload = {
    service: "hostile",
    request_type: types[kind],
    request_id: id,
    args: kind === "stream" ? {} : { text: "calm" },
  };
  ws.send(JSON.stringify(["1", id, "api:calm", "api", payload]));
}

function receive(text: string): void {
  const [, , , event, payload] = JSON.parse(text) as [unknown, unknown, unknown, string, Record<string, unknown>];
  if (event !== "api" || payload.has_more === true) return;
  const id = String(payload.request_id);
  const call = open.get(id);
  if (call === undefined) return;
  if (payload.success !== true) {
    fail(id);
    return;
  }
  const latencyMs = performance.now() - call.due;
  if (latencyMs > patienceMs) {
    fail(id);
    return;
  }
  open.delete(id);
  report[call.kind].latenciesMs.push(latencyMs);
}

function fail(id: string): void {
  const call = open.get(id);
  open.delete(id);
  if (call !== undefined) report[call.kind].failed++;
}

/** A calm client that is closed connects again; what it lost is lost. */
function lose(): void {
  for (const id of open.keys()) fail(id);
  setTimeout(async () => {
    try {
      ws = await connect();
    } catch {
      lose();
    }
  }, 100);
}

async function answer(): Promise<void> {
  isPaused = true;
  const until = performance.now() + patienceMs;
  while (open.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const id of open.keys()) fail(id);
  for (const { latenciesMs } of Object.values(report)) latenciesMs.sort((a, b) => a - b);
  process.send?.(report);
  report = emptyReport();
  isPaused = false;
}

function emptyReport(): CalmReport {
  const none = (): Calls => ({ latenciesMs: [], failed: 0 });
  return { main: none(), worker: none(), stream: none() };
}
