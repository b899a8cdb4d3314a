import { createHash } from "node:crypto";
import { z } from "zod";
import { jsonFault } from "../../config/carried-values.ts";
import type { FunConfigInput } from "../../config/fun-config.ts";
import { libraryError } from "../../core/errors.ts";
import { faultsError, faultsOf, namesKeys, shown } from "../../core/faults.ts";
import { reading } from "../../core/unreadable.ts";
import type {
  PullSource,
  PushBegin,
  PushEnd,
  PushOutcome,
  PushSlice,
  RefusedConfig,
  Verify,
  VerifyOutcome,
} from "./push.ts";

/** A service that a node pushes. */
export interface PushedService {
  /** The service of the functions. */
  readonly service: string;
  /** All its functions on that node: the push removes functions that it leaves out. */
  readonly functions: readonly FunConfigInput[];
  /** Identifies this set of functions: a gateway that has it skips the push. @default a hash of the functions */
  readonly configVersion?: string;
  /** How gateways may pull the functions later. @default they are not pulled */
  readonly pull?: PullSource;
}

/**
 * Sends a question to a gateway over its session and waits for the answer.
 * @throws the error with which the gateway refused, or the loss of the session
 */
export type Ask = (name: string, body: unknown) => Promise<unknown>;

// A slice has at most this much JSON, but at least one function, so that no message becomes very large.
const maxSliceBytes = 262_144;

/** Sends a node's functions to gateways: one service, to each gateway over its own session. */
export class ConfigPusher {
  readonly service: string;
  /** As gateways receive them and a pull returns them, without the fields that only the node itself needs. */
  readonly functions: readonly object[];
  readonly configVersion: string;
  readonly #functionsHash: string;
  readonly #pull: PullSource | null;
  readonly #sizes: readonly number[];

  constructor({ service, functions, configVersion, pull }: PushedService) {
    this.service = service;
    const what = `The functions of ${shown(service)} cannot be pushed`;
    const texts = reading("invalid_config", what, functions, () => textsOf(functions, pull, what));
    // A snapshot, in the form that a gateway reads: undefined fields are left out.
    this.functions = texts.map((text) => JSON.parse(text));
    this.#pull = pull ?? null;
    this.#sizes = texts.map((text) => Buffer.byteLength(text));
    this.#functionsHash = hashOf(texts);
    this.configVersion = configVersion ?? this.#functionsHash;
  }

  /**
   * Makes these functions the gateway's functions of this node.
   *
   * @param options `force` sends them even if the gateway has this version
   * @returns the outcome, with every refused function
   * @throws what `ask` throws; GenApiError `invalid_request` if the gateway's answer makes no sense
   */
  async push(ask: Ask, { force = false }: { readonly force?: boolean } = {}): Promise<PushOutcome> {
    const { functions } = this;
    const begin: PushBegin = { ...this.#verify, count: functions.length, force, pull: this.#pull };
    const begun = parsed(answers.begin, "push_begin", await ask("push_begin", begin));
    if (begun.outcome === "skipped") return begun;
    const { push, sliceSize } = begun;
    const refused: RefusedConfig[] = [];
    for (let from = 0; from < functions.length; ) {
      const to = this.#sliceEnd(from, sliceSize);
      const slice: PushSlice = { push, functions: functions.slice(from, to) };
      const answer = await ask("push_slice", slice);
      refused.push(...parsed(answers.slice, "push_slice", answer).refused);
      from = to;
    }
    const end: PushEnd = { push };
    const ended = parsed(answers.end, "push_end", await ask("push_end", end));
    return ended.outcome === "skipped" ? ended : { ...ended, refused: [...refused, ...ended.refused] };
  }

  /**
   * Whether the gateway has these functions of this node.
   * @throws as {@link push}
   */
  async verify(ask: Ask): Promise<VerifyOutcome> {
    return parsed(answers.verify, "verify", await ask("verify", this.#verify));
  }

  /** What identifies its functions to a gateway. */
  get #verify(): Verify {
    const { service, configVersion } = this;
    return { service, configVersion, functionsHash: this.#functionsHash };
  }

  #sliceEnd(from: number, sliceSize: number): number {
    let to = from;
    for (let bytes = 0; to < this.functions.length && to - from < sliceSize; to++) {
      bytes += this.#sizes[to] ?? 0;
      if (to > from && bytes > maxSliceBytes) break;
    }
    return to;
  }
}

/**
 * The functions as JSON.
 * @throws GenApiError `invalid_config` that names everything JSON cannot hold
 */
function textsOf(functions: unknown, pull: PullSource | undefined, what: string): string[] {
  if (!Array.isArray(functions)) {
    throw faultsError("invalid_config", what, [`functions must be a list of FunConfigs, got ${shown(functions)}`]);
  }
  const faults = functions.flatMap((config: unknown, index) => {
    if (typeof config !== "object" || config === null) return [];
    const { service, requestType } = config as { readonly service?: unknown; readonly requestType?: unknown };
    const fault = jsonFault({ ...config }, "");
    return fault === null ? [] : [`functions[${index}] (${shown(service)}, ${shown(requestType)}) ${fault}`];
  });
  const { args = [], versionArgs = [] } = pull ?? {};
  for (const fault of [jsonFault(args, "pull.args"), jsonFault(versionArgs, "pull.versionArgs")]) {
    if (fault !== null) faults.push(fault);
  }
  if (faults.length > 0) throw faultsError("invalid_config", what, faults);
  return functions.map((config) => JSON.stringify(withoutOwnAffairs(config)));
}

/** Where functions run on the node is its own affair: gateways learn only of other nodes and of resolvers. */
function withoutOwnAffairs({ runOn: _runOn, nodes, ...config }: FunConfigInput): object {
  return nodes === undefined || nodes === "local" ? config : { ...config, nodes };
}

function hashOf(texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\n");
  return hash.digest("hex").slice(0, 32);
}

const skipped = z.object({ outcome: z.literal("skipped"), reason: z.literal("version_matches") });
const refused = z.array(
  z.object({ requestType: z.string(), version: z.string().nullable(), faults: z.array(z.string()) }),
);

const answers = {
  begin: z.discriminatedUnion("outcome", [
    skipped,
    z.object({ outcome: z.literal("continue"), push: z.int(), sliceSize: z.int().min(1) }),
  ]),
  slice: z.object({ refused }),
  end: z.discriminatedUnion("outcome", [
    skipped,
    z.object({ outcome: z.literal("accepted"), accepted: z.int(), refused }),
  ]),
  verify: z.discriminatedUnion("outcome", [
    z.object({ outcome: z.literal("matched") }),
    z.object({ outcome: z.literal("mismatch"), gatewayVersion: z.string() }),
    z.object({ outcome: z.literal("not_found") }),
  ]),
};

function parsed<Schema extends z.ZodType>(schema: Schema, ask: string, answer: unknown): z.output<Schema> {
  const result = schema.safeParse(answer, namesKeys);
  if (result.success) return result.data;
  const faults = faultsOf(result.error).join("; ");
  throw libraryError("invalid_request", `The gateway's answer to ${ask} cannot be understood: ${faults}`);
}
