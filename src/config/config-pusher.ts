import { createHash } from "node:crypto";
import { z } from "zod";
import { libraryError } from "../core/errors.ts";
import { faultsOf } from "../core/faults.ts";
import type { FunConfigInput } from "./fun-config.ts";
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

/** What a node pushes. */
export interface PushedService {
  /** The service that the functions are of. */
  readonly service: string;
  /** All its functions on that node: what is left out goes. */
  readonly functions: readonly FunConfigInput[];
  /** Names this set of functions: a gateway that has it skips the push. @default a hash of the functions */
  readonly configVersion?: string;
  /** How gateways may pull the functions later. @default they are not pulled */
  readonly pull?: PullSource;
}

/**
 * Asks a gateway, over the session with it, and waits for the answer.
 * @throws what the gateway refused with, or that the session is lost
 */
export type Ask = (name: string, body: unknown) => Promise<unknown>;

// A slice may have so many bytes of JSON, but one function at least, so that no message becomes very large.
const maxSliceBytes = 262_144;

/** Tells gateways of a node's functions: a service's, to each gateway over a session of its own. */
export class ConfigPusher {
  readonly service: string;
  /** As gateways receive them, and as a pull returns them: without what only the node itself needs to know. */
  readonly functions: readonly object[];
  readonly configVersion: string;
  readonly #functionsHash: string;
  readonly #pull: PullSource | null;
  readonly #sizes: readonly number[];

  constructor({ service, functions, configVersion, pull }: PushedService) {
    this.service = service;
    this.functions = functions.map(withoutOwnAffairs);
    this.#pull = pull ?? null;
    const texts = this.functions.map((config) => JSON.stringify(config));
    this.#sizes = texts.map((text) => Buffer.byteLength(text));
    this.#functionsHash = hashOf(texts);
    this.configVersion = configVersion ?? this.#functionsHash;
  }

  /**
   * Makes these functions the ones that the gateway has of this node.
   *
   * @param options `force` sends them though the gateway has this version
   * @returns what became of them; those refused are told one by one
   * @throws what `ask` throws; GenApiError `invalid_request` where the gateway answers what cannot be understood
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

  /** Whether the gateway has these functions of this node. @throws as {@link push} */
  async verify(ask: Ask): Promise<VerifyOutcome> {
    return parsed(answers.verify, "verify", await ask("verify", this.#verify));
  }

  /** What a gateway knows its functions by. */
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

/** Where the functions run is the node's own affair: gateways are told only of other nodes, and resolvers. */
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
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const faults = faultsOf(result.error).join("; ");
  throw libraryError("invalid_request", `The gateway's answer to ${ask} cannot be understood: ${faults}`);
}
