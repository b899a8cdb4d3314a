// What a call with its client costs, at both ends: gen-api/client on the official phoenix client, tRPC over WebSockets,
// and Socket.IO with acknowledgements. Each server checks the same arguments and runs the same function; one client with
// one socket calls it. Every server and client is a process of its own; in a round they take turns. And what each client
// adds to a page.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { installCompared } from "../compared-packages.js";

const variants = {
  push: "gen-api/client",
  reply: "the same, replyMode reply",
  trpc: "tRPC 11",
  socketIo: "Socket.IO 4",
};
type Variant = keyof typeof variants;
const names = Object.keys(variants) as Variant[];

const rounds = 5;
const inFlights = [1, 16, 64];
const warmUpMs = 400;
const measureMs = 500;

interface Sample {
  readonly serverMicros: number;
  readonly clientMicros: number;
  readonly perSecond: number;
}

interface Pair {
  readonly server: ChildProcess;
  readonly client: ChildProcess;
}

async function start(variant: Variant): Promise<Pair> {
  const script = (name: string) => new URL(name, import.meta.url);
  const server = fork(script("./client-server.js"), [variant], { execArgv: [] });
  const [port] = (await once(server, "message")) as [number];
  const client = fork(script("./client-load.js"), [variant, String(port)], { execArgv: [] });
  await once(client, "message");
  return { server, client };
}

async function stop({ server, client }: Pair): Promise<void> {
  for (const process of [client, server]) {
    process.disconnect();
    await once(process, "exit");
  }
}

async function cpuOf(server: ChildProcess): Promise<number> {
  server.send("cpu");
  const [micros] = (await once(server, "message")) as [number];
  return micros;
}

async function run({ server, client }: Pair, inFlight: number, ms: number): Promise<Sample> {
  const from = await cpuOf(server);
  client.send({ inFlight, ms });
  const [{ calls, seconds, cpuMicros }] = (await once(client, "message")) as [
    { calls: number; seconds: number; cpuMicros: number },
  ];
  const serverMicros = (await cpuOf(server)) - from;
  return { serverMicros: serverMicros / calls, clientMicros: cpuMicros / calls, perSecond: calls / seconds };
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] as number;
}

/** What a page loads for one call, minified and gzipped. */
async function bundled(code: string, external: readonly string[]): Promise<number> {
  const entry = fileURLToPath(new URL("./bundled-entry.js", import.meta.url));
  writeFileSync(entry, code);
  const { output } = (await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      rolldownOptions: { input: entry, external: [...external], output: { format: "es", codeSplitting: false } },
    },
  })) as Rolldown.RolldownOutput;
  return gzipSync(output[0].code).byteLength;
}

installCompared();
const samples = new Map(
  inFlights.map((inFlight) => [inFlight, new Map(names.map((name): [Variant, Sample[]] => [name, []]))]),
);
for (let round = 0; round < rounds; round++) {
  for (const name of names) {
    const pair = await start(name);
    for (const inFlight of inFlights) {
      await run(pair, inFlight, warmUpMs);
      samples
        .get(inFlight)
        ?.get(name)
        ?.push(await run(pair, inFlight, measureMs));
    }
    await stop(pair);
  }
}

console.log(`One client, one socket; medians of ${rounds} rounds. CPU time in µs a call.`);
for (const [inFlight, of] of samples) {
  console.log(`\n${inFlight} in flight${"".padEnd(15)}server   client     calls/s`);
  for (const name of names) {
    const figure = (key: keyof Sample) => median((of.get(name) ?? []).map((sample) => sample[key]));
    console.log(
      `  ${variants[name].padEnd(26)}${figure("serverMicros").toFixed(1).padStart(6)}` +
        `${figure("clientMicros").toFixed(1).padStart(9)}` +
        `${Math.round(figure("perSecond")).toLocaleString("en").padStart(12)}`,
    );
  }
}

const call = 'connect("/socket").call("posts", "create_post", {})';
const sizes = [
  ["gen-api/client, beside phoenix", `import { connect } from "gen-api/client"; ${call};`, ["phoenix"]],
  ["gen-api/client with phoenix", `import { connect } from "gen-api/client"; ${call};`, []],
  [
    "@trpc/client with wsLink",
    'import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";' +
      'createTRPCClient({ links: [wsLink({ client: createWSClient({ url: "/" }) })] }).createPost.mutate({});',
    [],
  ],
  ["socket.io-client", 'import { io } from "socket.io-client"; io("/").emitWithAck("create_post", {});', []],
] as const;
console.log("\nIn a page, minified and gzipped:");
for (const [what, code, external] of sizes) {
  const bytes = await bundled(code, external);
  console.log(`  ${what.padEnd(32)}${(bytes / 1_024).toFixed(1).padStart(6)} KB`);
}
