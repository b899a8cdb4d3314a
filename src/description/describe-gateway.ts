import type { CheckedArgOptions } from "../arguments/arg-types.ts";
import type { ArgType } from "../arguments/declarations.ts";
import { argumentsSchema, mayBeMissing } from "../arguments/json-schema.ts";
import type { FunConfig } from "../config/fun-config.ts";
import type { ConfigEntry, FunctionTable } from "../config/function-table.ts";
import { refuseArgument } from "../core/faults.ts";
import { isMap } from "../core/is-map.ts";
import { type Identity, mayBePermitted } from "../policy/permission.ts";
import type { ScopedRateLimit } from "../policy/rate-limiter/rate-limit.ts";
import { readRoles, rolesRule } from "../policy/roles.ts";
import type {
  ArgumentDescription,
  ChannelDescription,
  DescribedIdentity,
  FunctionDescription,
  GatewayDescription,
  RateLimitDescription,
} from "./gateway-description.ts";

/** The parts of a gateway that its description is made of. */
export interface DescriptionDeps {
  readonly gateway: string;
  readonly socketPath: string;
  readonly channels: readonly ChannelDescription[];
  readonly functionTable: FunctionTable<ConfigEntry>;
  /** Every limit. */
  limits(): readonly ScopedRateLimit[];
}

/**
 * Describes a gateway's functions: all of them, or only those that `given` may call. Where a function decides itself who
 * may call it, only a call can tell, so it is described to everybody.
 *
 * @throws GenApiError `invalid_option` for an identity that is none
 */
export function describeGateway(deps: DescriptionDeps, given?: DescribedIdentity): GatewayDescription {
  const { gateway, socketPath, channels, functionTable } = deps;
  const identity = given === undefined ? null : identityOf(given);
  const limitsOf = groupedLimits(deps.limits());
  const services = functionTable.services().sort();
  return {
    gateway,
    socketPath,
    channels: channels.map(({ topic, event }) => ({ topic, event })),
    services: services.flatMap((service) => {
      const entries = [...functionTable.entries([service])].filter(
        ({ config }) => identity === null || mayCall(config, identity),
      );
      if (entries.length === 0) return [];
      const functions = entries.map(({ config }) => functionOf(config, functionTable, limitsOf(config)));
      return [{ service, functions: functions.sort(inOrder) }];
    }),
  };
}

function identityOf(given: DescribedIdentity): Identity {
  refuseArgument("describe", "identity", given, isMap(given), "a map or left out");
  const { userId = null, userRoles = [], claims = {} } = given;
  refuseArgument("describe", "userId", userId, userId === null || typeof userId === "string", "a string or null");
  refuseArgument("describe", "userRoles", userRoles, readRoles(userRoles) !== null, rolesRule);
  refuseArgument("describe", "claims", claims, isMap(claims), "a map of claims");
  return { userId, userRoles, claims };
}

function mayCall({ disabled, permissionCallback, checkPermission }: FunConfig, identity: Identity): boolean {
  return !disabled && (permissionCallback !== null || mayBePermitted(checkPermission, identity));
}

function functionOf(
  config: FunConfig,
  functionTable: FunctionTable<ConfigEntry>,
  rateLimits: readonly RateLimitDescription[],
): FunctionDescription {
  const { service, requestType, version, argTypes, argsSchema, permissionCallback, checkPermission, timeout } = config;
  const latest = functionTable.resolve(service, requestType, null);
  return {
    requestType,
    version,
    isLatest: typeof latest !== "string" && latest.config === config,
    disabled: config.disabled,
    responseType: config.responseType,
    description: config.description,
    deprecated: config.deprecated,
    hints: config.hints,
    arguments: argTypes === null || argTypes === "schema" ? null : Object.entries(argTypes).map(argumentOf),
    argsSchema: argsSchema ?? argumentsSchema(argTypes),
    resultSchema: config.resultSchema,
    chunkSchema: config.chunkSchema,
    permission: permissionCallback === null ? checkPermission : "callback",
    limits: { timeoutMs: timeout === "infinity" ? null : timeout, rateLimits },
  };
}

function argumentOf([name, declared]: readonly [string, ArgType]): ArgumentDescription {
  const options: CheckedArgOptions = typeof declared === "string" ? { type: declared } : declared;
  const { type, allowNil, ...rest } = options;
  return { name, type, isRequired: !mayBeMissing(options), allowNil: allowNil === true, ...rest };
}

/** The limits by what they count, found once for all functions. */
function groupedLimits(limits: readonly ScopedRateLimit[]) {
  const ofAll: RateLimitDescription[] = [];
  const byFunction = new Map<string, RateLimitDescription[]>();
  for (const { scope, key, maxRequests, windowMs } of limits) {
    const described = { key: String(key), maxRequests, windowMs };
    if (scope === "global") ofAll.push({ scope, ...described });
    else {
      const name = nameOf(scope);
      byFunction.set(name, [...(byFunction.get(name) ?? []), { scope: "function", ...described }]);
    }
  }
  return (config: FunConfig) => [...ofAll, ...(byFunction.get(nameOf(config)) ?? [])];
}

function nameOf({ service, requestType }: { readonly service: string; readonly requestType: string }): string {
  return JSON.stringify([service, requestType]);
}

/** By request type; the latest version before the others. */
function inOrder(one: FunctionDescription, other: FunctionDescription): number {
  if (one.requestType !== other.requestType) return one.requestType < other.requestType ? -1 : 1;
  if (one.isLatest !== other.isLatest) return one.isLatest ? -1 : 1;
  return (one.version ?? "") < (other.version ?? "") ? -1 : 1;
}
