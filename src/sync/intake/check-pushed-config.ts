import { describe } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";

const maxNameLength = 256;

/** The rules for a function that a node sends. */
export interface PushRules {
  /** The service being pushed or pulled, already known to be one of the node's. */
  readonly service: string;
  /** The nodes that a function's `nodes` may name: the pushing node, or those of the pulled service. */
  readonly nodes: readonly string[];
  /** The gateway's modules whose functions nodes may name. */
  readonly pushableModules: ReadonlySet<string>;
  /** Whether the host program registered this very function. */
  isOfHost(requestType: string, version: string | null): boolean;
}

/**
 * Requests of one FunConfig to the gateway that a node may not make, each fault naming its field; an empty list if
 * there are none. `validateFunConfig` checks the rest.
 */
export function checkPushedConfig(value: unknown, rules: PushRules): string[] {
  if (describe(value) !== "map") return [`must be a FunConfig, got ${describe(value)}`];
  const config = value as Readonly<Record<string, unknown>>;
  const { service, requestType, version = null, runOn } = config;
  const faults: string[] = [];
  if (service !== rules.service) {
    faults.push(`service must be ${JSON.stringify(rules.service)}, which is being registered, got ${shown(service)}`);
  }
  faults.push(...nodesFaults(config.nodes, rules));
  if (runOn !== undefined) faults.push("runOn must be left out: the node decides where its functions run");
  for (const field of ["beforeExecute", "afterExecute"] as const) {
    faults.push(...gatewayFunctionFaults(field, config[field], rules));
  }
  if (typeof requestType === "string" && requestType.length > maxNameLength) {
    faults.push(`requestType must have at most ${maxNameLength} characters, got ${requestType.length}`);
  }
  if (typeof requestType === "string" && (version === null || typeof version === "string")) {
    if (rules.isOfHost(requestType, version)) {
      faults.push("requestType must not be that of a function of the gateway's host program");
    }
  }
  return faults;
}

function nodesFaults(nodes: unknown, rules: PushRules): string[] {
  if (nodes === undefined || nodes === null) return [];
  if (nodes === "local") return ['nodes must not be "local": nodes cannot add functions to the gateway\'s own'];
  if (Array.isArray(nodes)) {
    const isAllowed = nodes.length > 0 && nodes.every((node) => rules.nodes.includes(node));
    return isAllowed ? [] : [`nodes must be left out or hold only ${listed(rules.nodes)}, got ${shownNames(nodes)}`];
  }
  return gatewayFunctionFaults("nodes", nodes, rules);
}

/** The faults of a function that the gateway itself would run. */
function gatewayFunctionFaults(field: string, mfa: unknown, { pushableModules }: PushRules): string[] {
  if (mfa === undefined || mfa === null) return [];
  const module = moduleOf(mfa);
  if (module !== undefined && pushableModules.has(module)) return [];
  const came = module === undefined ? describe(mfa) : shown(module);
  return [
    `${field} must name a function of the gateway's pushableModules (${listed([...pushableModules])}), got ${came}`,
  ];
}

function moduleOf(mfa: unknown): string | undefined {
  if (typeof mfa === "string") return mfa.split(".")[0];
  const { module } = Object(mfa) as { readonly module?: unknown };
  return typeof module === "string" ? module : undefined;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.map((name) => JSON.stringify(name)).join(", ");
}

function shownNames(values: readonly unknown[]): string {
  const first = values.slice(0, 3).map(shown).join(", ");
  return values.length > 3 ? `${first} and ${values.length - 3} more` : first || "none";
}
