// Validating arguments: the compiled validator in both its forms, zod and zod's `compile`, beside JSON.parse of the
// same bytes, all in one run. Variants take turns; the median of the rounds is told.
import * as z from "zod";
import { compileArguments } from "../dist/arguments/compile-arguments.js";
import type { ArgTypes } from "../dist/arguments/declarations.js";

const rounds = 15;
const callsPerRound = 100_000;
const pooled = 2_000;

const createPost: ArgTypes = {
  title: { type: "string", maxBytes: 200 },
  tags: { type: "list_string", maxItems: 10, maxItemBytes: 50 },
  published: { type: "boolean", defaultValue: false },
  metadata: { type: "map", maxItems: 50, required: ["author"], accept: ["author", "email"] },
};

const small = '{"title":"T","tags":["a"],"published":true,"metadata":{"author":"me"}}';
const usual =
  '{"title":"Supervision trees on XState","tags":["actors","otp","typescript"],"published":true,"metadata":{"author":"me","email":"me@example.org"}}';
const refused = '{"title":5,"tags":["a"],"published":true,"metadata":{"author":"me"}}';

/** The same rules in zod. What it has no word for, depth and forbidden keys, is a refinement, as short as can be. */
const bytes = (max: number) => z.string().refine((text) => text.length <= max / 3 || Buffer.byteLength(text) <= max);
function schemaWith(more: z.ZodRawShape = {}) {
  return z.strictObject({
    title: bytes(200),
    tags: z.array(bytes(50)).max(10),
    published: z.boolean().default(false),
    metadata: z.strictObject({ author: json(), email: json().optional() }),
    ...more,
  });
}

function json() {
  return z.any().refine((value) => isJson(value, 1));
}

function isJson(value: unknown, around: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (around === 32) return false;
  for (const key in value) {
    if (key === "__proto__" || key === "constructor" || key === "prototype") return false;
    if (!isJson(value[key as keyof typeof value], around + 1)) return false;
  }
  return true;
}

type Validate = (args: Record<string, unknown>) => unknown;

const zodWith =
  (parser: ReturnType<typeof schemaWith>): Validate =>
  (args) => {
    const { success, data, error } = parser.safeParse(args);
    return success ? [data.title, data.tags, data.published, data.metadata] : error;
  };

const variants: Record<string, Validate> = {
  "generated code": compileArguments(createPost, null, { generateAfter: 0 }),
  "plain closures": compileArguments(createPost, null, { generateAfter: Infinity }),
  "the default": compileArguments(createPost, null),
  zod: zodWith(schemaWith()),
  "zod compiled": zodWith(z.compile(schemaWith(), { strict: true })),
};

/** A gateway has many functions: what V8 learnt of one must serve the others too. */
function registerOthers(): void {
  for (let index = 0; index < 50; index++) {
    const types: ArgTypes = { [`name${index}`]: "string", [`n${index}`]: "num", tags: "list_string", filter: "map" };
    for (const generateAfter of [0, Infinity]) {
      const validate = compileArguments(types, index % 2 === 0 ? "map" : null, { generateAfter });
      for (let call = 0; call < 500; call++) {
        keep(validate({ [`name${index}`]: "x", [`n${index}`]: call, tags: ["a"], filter: { a: { b: [call] } } }));
      }
    }
  }
}

let kept: unknown;

/** Uses a result, so that V8 cannot leave out the work that made it. */
function keep(value: unknown): void {
  if (value === kept) throw new Error("the same result twice");
  kept = value;
}

function nsPerCall(run: (call: number) => void): number {
  const start = process.hrtime.bigint();
  for (let call = 0; call < callsPerRound; call++) run(call);
  return Number(process.hrtime.bigint() - start) / callsPerRound;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function measure(title: string, text: string): void {
  const pool = Array.from({ length: pooled }, () => JSON.parse(text) as Record<string, unknown>);
  const samples = new Map<string, number[]>(["JSON.parse", ...Object.keys(variants)].map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    samples.get("JSON.parse")?.push(nsPerCall(() => keep(JSON.parse(text))));
    for (const [name, validate] of Object.entries(variants)) {
      samples.get(name)?.push(nsPerCall((call) => keep(validate(pool[call % pooled]!))));
    }
  }
  const parse = median(samples.get("JSON.parse") ?? []);
  console.log(`\n${title}: ${text.length} bytes`);
  for (const [name, of] of samples) {
    const ns = median(of);
    console.log(`  ${name.padEnd(16)} ${ns.toFixed(0).padStart(6)} ns  ${(ns / parse).toFixed(2)} × JSON.parse`);
  }
}

const registering: Record<string, (name: string) => Validate> = {
  "plain closures": (name) => compileArguments({ ...createPost, [name]: "num" }, null, { generateAfter: Infinity }),
  "the default": (name) => compileArguments({ ...createPost, [name]: "num" }, null),
  "generated code": (name) => compileArguments({ ...createPost, [name]: "num" }, null, { generateAfter: 0 }),
  "zod compiled": (name) => zodWith(z.compile(schemaWith({ [name]: z.number() }), { strict: true })),
};

/** What registering costs: time and memory of a compiled declaration. */
function measureRegistration(): void {
  const count = 1_000;
  console.log(`\nRegistering ${count} declarations of five arguments, each:`);
  const registered: unknown[] = [];
  for (const [name, register] of Object.entries(registering)) {
    for (let index = 0; index < 200; index++) keep(register(`warm${index}`));
    const heapBefore = heapUsed();
    const start = process.hrtime.bigint();
    const validators = Array.from({ length: count }, (_, index) => register(`more${index}`));
    const us = Number(process.hrtime.bigint() - start) / 1_000 / count;
    for (const validate of validators) keep(validate({}));
    registered.push(validators);
    const bytesEach = (heapUsed() - heapBefore) / count;
    console.log(
      `  ${name.padEnd(16)} ${us.toFixed(1).padStart(6)} µs  ${bytesEach.toFixed(0).padStart(6)} bytes once called`,
    );
  }
}

function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

registerOthers();
measure("create_post", usual);
measure("create_post, as small as can be", small);
measure("create_post, refused for its title", refused);
measureRegistration();
