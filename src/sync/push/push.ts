import { z } from "zod";
import { libraryError } from "../../core/errors.ts";
import { faultsOf, must, namesKeys } from "../../core/faults.ts";

/**
 * What a service node tells a gateway about its functions. Both exchange plain data in frames ("asks": a name, a body,
 * an answer). A push goes in slices, so that a large one blocks neither side: `push_begin`, any number of `push_slice`,
 * `push_end`.
 */
export interface PushBegin {
  readonly service: string;
  /** The version of the whole set; a gateway that has this version of this node already skips it. */
  readonly configVersion: string;
  /**
   * Hash of the functions; changes whenever they do, even under the same version. Null from nodes of earlier releases.
   */
  readonly functionsHash: string | null;
  /** How many functions follow. */
  readonly count: number;
  /** Accept it even if the version matches. */
  readonly force: boolean;
  /** Also register the service for pulls. */
  readonly pull: PullSource | null;
}

/**
 * How a gateway pulls a node's functions: by calling one of them. Without `versionFunction` it does not ask for a
 * version.
 */
export interface PullSource {
  /** The node's module of {@link function}. */
  readonly module: string;
  /** The node's function that returns its FunConfigs. */
  readonly function: string;
  /** The arguments of {@link function}. */
  readonly args: readonly unknown[];
  /** The node's module of {@link versionFunction}. @default `module` */
  readonly versionModule?: string;
  /** The node's function that returns the version of its FunConfigs. @default none: they are pulled every time */
  readonly versionFunction?: string;
  /** The arguments of {@link versionFunction}. @default `args` */
  readonly versionArgs?: readonly unknown[];
}

/** A gateway's answer to `push_begin`. */
export type PushBegun =
  | { readonly outcome: "skipped"; readonly reason: "version_matches" }
  /** Send the functions, at most `sliceSize` per slice. */
  | { readonly outcome: "continue"; readonly push: number; readonly sliceSize: number };

export interface PushSlice {
  readonly push: number;
  /** FunConfigs as the node wrote them, without `nodes: "local"` and `runOn`. */
  readonly functions: readonly unknown[];
}

export interface PushEnd {
  readonly push: number;
}

/** A function that a gateway refused. */
export interface RefusedConfig {
  /** Its name, if readable. */
  readonly requestType: string;
  /** Its version; null: unversioned. */
  readonly version: string | null;
  /** Every fault, each beginning with its field. */
  readonly faults: readonly string[];
}

/** A gateway's answer to `push_slice`, once it has checked the slice: the next one may follow. */
export interface SliceOutcome {
  readonly refused: readonly RefusedConfig[];
}

/**
 * How a push ended. On the wire, `refused` leaves out functions that the answer to a slice has already listed; the
 * pusher returns all of them.
 */
export type PushOutcome =
  | { readonly outcome: "accepted"; readonly accepted: number; readonly refused: readonly RefusedConfig[] }
  | { readonly outcome: "skipped"; readonly reason: "version_matches" };

export interface Verify {
  readonly service: string;
  readonly configVersion: string;
  /** As in {@link PushBegin}. */
  readonly functionsHash: string | null;
}

/**
 * Whether a gateway has a node's functions at this version; if not, the next push is not skipped. `mismatch` also if it
 * has other functions under this version or refused some, `not_found` also if the host program has deleted one since.
 */
export type VerifyOutcome =
  | { readonly outcome: "matched" }
  | { readonly outcome: "mismatch"; readonly gatewayVersion: string }
  | { readonly outcome: "not_found" };

/** The part of an accepted push that a gateway keeps, for itself and for other gateways. */
export interface AcceptedPush {
  readonly service: string;
  readonly node: string;
  readonly configVersion: string;
  /** As in {@link PushBegin}. @default null */
  readonly functionsHash?: string;
  /** The accepted functions, as the node sent them. */
  readonly functions: readonly unknown[];
  /** How many the node sent, if some were refused. @default the length of `functions` */
  readonly count?: number;
  readonly pull: PullSource | null;
}

/** How much a gateway accepts from a node. */
export interface PushLimits {
  /** Functions in one push or pull. @default 10_000 */
  readonly maxFunctions: number;
  /** Bytes of one FunConfig as JSON, three schemas of 32 KiB included. @default 131_072 */
  readonly maxConfigBytes: number;
  /** Bytes of all functions of one push or pull, as JSON. @default 33_554_432 */
  readonly maxPushBytes: number;
  /** Functions in one slice. @default 50 */
  readonly sliceSize: number;
  /** Open pushes of one node. @default 4 */
  readonly maxPushesPerNode: number;
  /** Milliseconds without progress before a push is dropped. @default 30_000 */
  readonly pushTimeoutMs: number;
}

/** The defaults of {@link PushLimits}. */
export const pushDefaults: PushLimits = {
  maxFunctions: 10_000,
  maxConfigBytes: 131_072,
  maxPushBytes: 33_554_432,
  sliceSize: 50,
  maxPushesPerNode: 4,
  pushTimeoutMs: 30_000,
};

const nameRule = { error: must("a string of 1 to 256 characters") };
const name = z.string(nameRule).min(1, nameRule).max(256, nameRule);
const functionsHash = name.nullable().default(null);
const number = z.int({ error: must("a whole number") });
const args = z.array(z.unknown(), { error: must("a list of arguments") }).max(100, { error: must("at most 100 long") });

const pullSource = z.object({
  module: name,
  function: name,
  args: args.default([]),
  versionModule: name.exactOptional(),
  versionFunction: name.exactOptional(),
  versionArgs: args.exactOptional(),
});

/** The schemas of a node's asks, by name. */
export const pushSchemas = {
  push_begin: z.object({
    service: name,
    configVersion: name,
    functionsHash,
    count: number.min(0, { error: must("at least 0") }),
    force: z.boolean({ error: must("true or false") }).default(false),
    pull: pullSource.nullable().default(null),
  }),
  push_slice: z.object({
    push: number,
    functions: z.array(z.unknown(), { error: must("a list of FunConfigs") }),
  }),
  push_end: z.object({ push: number }),
  verify: z.object({ service: name, configVersion: name, functionsHash }),
};

/** Checks the shape of what other gateways share; the functions are checked one by one. */
export const acceptedPushSchema = z.object({
  service: name,
  node: name,
  configVersion: z.string(nameRule).max(256, nameRule),
  functionsHash: name.exactOptional(),
  functions: z.array(z.unknown(), { error: must("a list of FunConfigs") }),
  count: number.exactOptional(),
  pull: pullSource.nullable(),
});

/**
 * The checked body of a node's ask.
 * @throws GenApiError `invalid_request` that lists every fault
 */
export function parseAsk<Name extends keyof typeof pushSchemas>(
  ask: Name,
  body: unknown,
): z.output<(typeof pushSchemas)[Name]> {
  const parsed = pushSchemas[ask].safeParse(body, namesKeys);
  if (parsed.success) return parsed.data as z.output<(typeof pushSchemas)[Name]>;
  throw libraryError("invalid_request", `${ask}: ${faultsOf(parsed.error).join("; ")}`);
}
