import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { messageOf, toError } from "../core/errors.ts";
import { within } from "../core/within.ts";
import { checkPushedConfig } from "./check-pushed-config.ts";
import { type ConfigEntry, type ConfigStore, isOfHost } from "./config-store.ts";
import type { FailedConfig, FailedConfigs } from "./failed-configs.ts";
import { type Mfa, validateFunConfig } from "./fun-config.ts";
import { type FunctionSets, functionKey, type HeldFunction, isList } from "./function-sets.ts";
import type { PushLimits, RefusedConfig } from "./push.ts";
import type { Turns } from "./turns.ts";

/** Who sends functions, and for whom. */
export interface Sender {
  readonly service: string;
  /** Who sent them, for people. */
  readonly node: string;
  readonly via: FailedConfig["via"];
  /** Who runs them, where a FunConfig does not say. */
  readonly nodes: readonly string[] | Mfa;
  /** The nodes that a FunConfig may name. */
  readonly allowedNodes: readonly string[];
}

/** Functions on their way to become a set. */
export class FunctionDraft {
  /** Those that are right, by their keys. */
  readonly functions = new Map<string, HeldFunction>();
  /** What they take as JSON. */
  bytes = 0;
}

/** What {@link FunctionIntake} needs of the gateway. */
export interface IntakeSources {
  readonly clock: Clock;
  readonly store: ConfigStore<ConfigEntry>;
  readonly sets: FunctionSets;
  readonly failedConfigs: FailedConfigs;
  readonly pushableModules: ReadonlySet<string>;
  readonly limits: PushLimits;
  /** Checks a FunConfig and makes of it what requests need. A rejection refuses the FunConfig. */
  compile(config: unknown): Promise<ConfigEntry>;
}

// How long one piece of work holds the event loop, and how long a gateway's own module has to be imported.
const turnMs = 5;
const compileTimeoutMs = 10_000;

const maxFaults = 20;
const maxFaultLength = 500;

/** Checks and compiles the functions that nodes send, config by config, a few milliseconds in each turn of the event loop. */
export class FunctionIntake {
  readonly #sources: IntakeSources;
  readonly #turns: Turns;

  constructor(sources: IntakeSources, turns: Turns) {
    this.#sources = sources;
    this.#turns = turns;
  }

  /**
   * Adds to the draft those that are right.
   * @returns the others, with what is wrong
   */
  async take(functions: readonly unknown[], sender: Sender, draft: FunctionDraft): Promise<RefusedConfig[]> {
    const { clock, limits, failedConfigs } = this.#sources;
    const refused: RefusedConfig[] = [];
    let startedAt = Number.NEGATIVE_INFINITY;
    let count = 0;
    for (const value of functions) {
      if (count === limits.sliceSize || clock.now() - startedAt >= turnMs) {
        await this.#turns.next();
        startedAt = clock.now();
        count = 0;
      }
      count += 1;
      const taken = await this.#takeOne(value, sender, draft);
      if (!isFaults(taken)) {
        draft.functions.set(functionKey(taken.requestType, taken.version), taken);
        continue;
      }
      const failed = { ...nameOf(value), faults: taken.slice(0, maxFaults).map(clipped) };
      refused.push(failed);
      const { service, node, via } = sender;
      failedConfigs.add({ ...failed, at: clock.systemTime(), service, node, via });
    }
    return refused;
  }

  /** The function, or what is wrong with it. */
  async #takeOne(value: unknown, sender: Sender, draft: FunctionDraft): Promise<HeldFunction | readonly string[]> {
    const { sets, limits, pushableModules } = this.#sources;
    const { service, allowedNodes } = sender;
    const isOfHost = (type: string, version: string | null) => this.#isOfHost(service, type, version);
    const faults = checkPushedConfig(value, { service, nodes: allowedNodes, pushableModules, isOfHost });
    if (faults.length > 0) return faults;

    const { nodes: named, ...content } = value as Readonly<Record<string, unknown>>;
    const nodes = ownNodes(named, sender.nodes);
    const runners = nodes ?? sender.nodes;
    const sent = nodes === null ? content : { ...content, nodes };
    const text = textOf(isList(runners) ? sent : { ...content, nodes: runners });
    if (typeof text !== "string") return [`must be plain data, as JSON has it: ${messageOf(text)}`];
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.maxConfigBytes) {
      return [`must have at most ${limits.maxConfigBytes} bytes as JSON, got ${bytes}`];
    }

    if (draft.bytes + bytes > limits.maxPushBytes) {
      return [`must fit: the functions of a push may have ${limits.maxPushBytes} bytes together as JSON`];
    }

    const { requestType, version } = nameOf(value);
    const key = functionKey(requestType, version);
    if (draft.functions.has(key)) return ["requestType and version are those of another function of the same push"];
    const hash = createHash("sha256").update(text).digest("base64");
    const known = sets.held(service, key, hash);
    if (known !== undefined) {
      draft.bytes += bytes;
      return known;
    }
    const config = { ...content, nodes: runners };
    const compiled = await this.#compile(config);
    if (isFaults(compiled)) return compiled;
    draft.bytes += bytes;
    // A resolver as it was read, with the defaults of what it left out.
    const own = nodes === null || isList(nodes) ? nodes : (compiled.config.nodes as Mfa);
    return { requestType, version, hash, sent, entry: compiled, nodes: own };
  }

  #isOfHost(service: string, requestType: string, version: string | null): boolean {
    const entry = this.#sources.store.find(service, requestType, version);
    return entry !== undefined && isOfHost(entry);
  }

  async #compile(config: unknown): Promise<ConfigEntry | readonly string[]> {
    const { clock, compile } = this.#sources;
    return within<ConfigEntry | readonly string[]>(
      compile(config),
      compileTimeoutMs,
      clock,
      (entry) => entry as ConfigEntry,
      (thrown) => {
        const validation = validateFunConfig(config);
        return validation.ok ? [messageOf(toError(thrown))] : validation.faults;
      },
    );
  }
}

/** What a FunConfig's `nodes` say beside those of its set; null: nothing. They were checked. */
function ownNodes(named: unknown, nodes: readonly string[] | Mfa): readonly string[] | Mfa | null {
  if (named === undefined || named === null) return null;
  if (!Array.isArray(named)) return named as Mfa;
  const own = [...new Set(named as string[])].sort();
  const isEveryone = isList(nodes) && nodes.every((node) => own.includes(node));
  return isEveryone ? null : own;
}

/** A cycle, a BigInt, or nesting that no stack holds is an Error. */
function textOf(value: unknown): string | Error {
  try {
    return JSON.stringify(value);
  } catch (thrown) {
    return toError(thrown);
  }
}

/** Which function it wants to be, as far as that can be told. */
function nameOf(value: unknown): { readonly requestType: string; readonly version: string | null } {
  const { requestType, version } = Object(value) as Readonly<Record<string, unknown>>;
  return {
    requestType: typeof requestType === "string" ? requestType.slice(0, 256) : "unknown",
    version: typeof version === "string" ? version.slice(0, 256) : null,
  };
}

function isFaults(taken: object): taken is readonly string[] {
  return Array.isArray(taken);
}

function clipped(fault: string): string {
  return fault.length <= maxFaultLength ? fault : `${fault.slice(0, maxFaultLength)}…`;
}
