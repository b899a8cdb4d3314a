import { createHash } from "node:crypto";
import { type Mfa, validateFunConfig } from "../../config/fun-config.ts";
import { type ConfigEntry, type FunctionTable, isOfHost } from "../../config/function-table.ts";
import { messageOf, toError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { Turns } from "../../core/time/turns.ts";
import { within } from "../../core/time/within.ts";
import type { FailedConfig, FailedConfigs } from "../push/failed-configs.ts";
import type { PushLimits, RefusedConfig } from "../push/push.ts";
import { type FunctionSets, functionKey, type HeldFunction, isList } from "../sets/function-sets.ts";
import { checkPushedConfig } from "./check-pushed-config.ts";

/** The sender of functions, and the nodes they are for. */
export interface Sender {
  readonly service: string;
  /** The sender's name, for people. */
  readonly node: string;
  readonly via: FailedConfig["via"];
  /** The nodes that run them, unless a FunConfig names others. */
  readonly nodes: readonly string[] | Mfa;
  /** The nodes that a FunConfig may name. */
  readonly allowedNodes: readonly string[];
}

/** Functions that are about to become a set. */
export class FunctionDraft {
  /** The valid functions, by their keys. */
  readonly functions = new Map<string, HeldFunction>();
  /** Their size as JSON. */
  bytes = 0;
}

/** The parts of the gateway that {@link FunctionIntake} needs. */
export interface IntakeDeps {
  readonly clock: Clock;
  readonly functionTable: FunctionTable<ConfigEntry>;
  readonly sets: FunctionSets;
  readonly failedConfigs: FailedConfigs;
  readonly pushableModules: ReadonlySet<string>;
  readonly limits: PushLimits;
  /** Checks a FunConfig and compiles it for requests. A rejection refuses the FunConfig. */
  compile(config: unknown): Promise<ConfigEntry>;
}

// How long one piece of work holds the event loop, and the time limit for importing a module of the gateway.
const turnMs = 5;
const compileTimeoutMs = 10_000;

const maxFaults = 20;
const maxFaultLength = 500;

/**
 * Checks and compiles the functions that nodes send, one by one, for a few milliseconds in each turn of the event loop.
 */
export class FunctionIntake {
  readonly #deps: IntakeDeps;
  readonly #turns: Turns;

  constructor(deps: IntakeDeps, turns: Turns) {
    this.#deps = deps;
    this.#turns = turns;
  }

  /**
   * Adds the valid functions to the draft.
   * @returns the others, with their faults
   */
  async take(functions: readonly unknown[], sender: Sender, draft: FunctionDraft): Promise<RefusedConfig[]> {
    const { clock, limits, failedConfigs } = this.#deps;
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
      const failed = { ...claimedNameOf(value), faults: taken.slice(0, maxFaults).map(clipped) };
      refused.push(failed);
      const { service, node, via } = sender;
      failedConfigs.add({ ...failed, at: clock.systemTime(), service, node, via });
    }
    return refused;
  }

  /** The function, or its faults. */
  async #takeOne(value: unknown, sender: Sender, draft: FunctionDraft): Promise<HeldFunction | readonly string[]> {
    const { sets, limits, pushableModules } = this.#deps;
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

    const { requestType, version } = claimedNameOf(value);
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
    // A resolver in its parsed form, with defaults filled in.
    const own = nodes === null || isList(nodes) ? nodes : (compiled.config.nodes as Mfa);
    return { requestType, version, hash, sent, entry: compiled, nodes: own };
  }

  #isOfHost(service: string, requestType: string, version: string | null): boolean {
    const entry = this.#deps.functionTable.find(service, requestType, version);
    return entry !== undefined && isOfHost(entry);
  }

  async #compile(config: unknown): Promise<ConfigEntry | readonly string[]> {
    const { clock, compile } = this.#deps;
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

/** The nodes that a FunConfig names in addition to those of its set; null: none. They have been checked. */
function ownNodes(named: unknown, nodes: readonly string[] | Mfa): readonly string[] | Mfa | null {
  if (named === undefined || named === null) return null;
  if (!Array.isArray(named)) return named as Mfa;
  const own = [...new Set(named as string[])].sort();
  const isEveryone = isList(nodes) && nodes.every((node) => own.includes(node));
  return isEveryone ? null : own;
}

/** Returns an Error for a cycle, a BigInt, or nesting too deep for the stack. */
function textOf(value: unknown): string | Error {
  try {
    return JSON.stringify(value);
  } catch (thrown) {
    return toError(thrown);
  }
}

/** The function's name, as far as it can be read. */
function claimedNameOf(value: unknown): { readonly requestType: string; readonly version: string | null } {
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
