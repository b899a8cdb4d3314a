// One sample of configs.bench: a gateway with as many functions as the argument says.
import { type FunConfig, startGenApi } from "gen-api";
import { FunctionTable } from "../../dist/config/function-table.js";
import { functionsFor, modules, requestType } from "./configs-functions.js";

/** What many registered functions cost. */
export interface TableSample {
  /** Memory of one more FunConfig with all that is compiled from it. */
  readonly bytesEach: number;
  /** Time of a lookup in the table, of any of them. */
  readonly resolveNs: number;
  /** The same in a plain Map of as many texts: what the processor's caches make of it. */
  readonly mapNs: number;
  /** Time of a lookup of one of the few that are in use. */
  readonly resolveUsedNs: number;
  /** Time of a request of the host program for any of them; the function runs on the main thread. */
  readonly requestMicros: number;
  /** Time of a request for one of the few that are in use. */
  readonly requestUsedMicros: number;
}

const size = Number(process.argv[2]);
const more = 1_000;
const perService = 100;
/** How many of them are in use where not all are. */
const used = Math.min(1_000, size);
const atATime = 500;
const warmUpBatches = 100;
const batches = 300;

const serviceOf = (index: number): string => `service_${Math.floor(index / perService)}`;

interface Name {
  readonly service: string;
  readonly requestType: string;
  readonly both: string;
}

/** Names of the first `among` functions as a request has them: texts of their own, decoded just before. */
function someNames(among: number): Name[] {
  const names = Array.from({ length: atATime }, () => {
    const index = Math.floor(Math.random() * among);
    const name = { service: serviceOf(index), requestType: requestType(index) };
    return { ...name, both: bothOf(name) };
  });
  return JSON.parse(JSON.stringify(names)) as Name[];
}

function bothOf({ service, requestType }: Pick<Name, "service" | "requestType">): string {
  return `${service}.${requestType}`;
}

/** Milliseconds for each name of a batch, half of the batches taking less. */
async function medianMs(among: number, run: (names: readonly Name[]) => unknown): Promise<number> {
  const times: number[] = [];
  for (let batch = 0; batch < warmUpBatches + batches; batch++) {
    const names = someNames(among);
    const from = performance.now();
    await run(names);
    times.push((performance.now() - from) / atATime);
  }
  return times.slice(warmUpBatches).sort((a, b) => a - b)[batches >> 1] as number;
}

function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const gateway = await startGenApi({ listen: false, modules });
// What the first registrations make once is not theirs.
await gateway.configCache.batchAdd(functionsFor(more, (index) => `warm_${serviceOf(index)}`));
await gateway.configCache.clear();
await gateway.configCache.batchAdd(functionsFor(size, serviceOf));
const before = heapUsed();
await gateway.configCache.batchAdd(functionsFor(more, (index) => `more_${serviceOf(index)}`));
const bytesEach = (heapUsed() - before) / more;

const configs = gateway.configCache.getAllFunctions();
const store = new FunctionTable<{ config: FunConfig }>();
for (const config of configs) store.put({ config });
const plain = new Map(configs.map((config) => [bothOf(config), config]));
let missed = 0;

function resolveAll(names: readonly Name[]): void {
  for (const { service, requestType } of names) {
    if (typeof store.resolve(service, requestType, null) === "string") missed++;
  }
}

function getAll(names: readonly Name[]): void {
  for (const { both } of names) {
    if (!plain.has(both)) missed++;
  }
}

const args = { title: "Supervision trees on XState", likes: 41, published: true };

async function requestAll(names: readonly Name[]): Promise<void> {
  for (const { service, requestType } of names) {
    const { success } = await gateway.request({ service, requestType, args, userId: "user-1" });
    if (!success) missed++;
  }
}

const sample: TableSample = {
  bytesEach,
  resolveNs: (await medianMs(size, resolveAll)) * 1e6,
  mapNs: (await medianMs(size, getAll)) * 1e6,
  resolveUsedNs: (await medianMs(used, resolveAll)) * 1e6,
  requestMicros: (await medianMs(size, requestAll)) * 1e3,
  requestUsedMicros: (await medianMs(used, requestAll)) * 1e3,
};
if (missed > 0) throw new Error(`${missed} functions were not found`);
console.log(JSON.stringify(sample));
await gateway.stop();
