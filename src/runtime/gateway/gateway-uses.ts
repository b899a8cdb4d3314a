import type { CompiledFunction } from "../../call/functions/compile-function.ts";
import type { FunctionTable } from "../../config/function-table.ts";
import { type FunctionUse, nameOf, type PlacedUse, usesOnGateway } from "../../config/function-uses.ts";
import { allowedPlace, type ModuleAllowlist } from "../../config/module-allowlist.ts";
import { libraryError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import type { ServiceConfig } from "../../sync/service-config.ts";
import { listed, type ReloadDeps } from "../program/reload.ts";

/** The parts of its gateway that {@link gatewayUses} needs. */
interface GatewayUsesDeps {
  readonly gateway: string;
  readonly functionTable: FunctionTable<CompiledFunction>;
  /** The services that it pulls. */
  readonly serviceConfigs: readonly ServiceConfig[];
  readonly allowlist: ModuleAllowlist;
}

/** The functions that a gateway itself runs: of its own services, and for those of nodes. */
export function gatewayUses(deps: GatewayUsesDeps): Pick<ReloadDeps, "uses" | "notHere"> {
  const { gateway, functionTable, serviceConfigs, allowlist } = deps;

  function* uses(): Generator<PlacedUse> {
    for (const { config, argumentsCheck } of functionTable.entries()) {
      const { service, mfa, runOn } = config;
      for (const use of usesOnGateway(config)) yield* placed(use, service, nameOf(config));
      if (argumentsCheck === null) continue;
      const { module, moduleName, function: name, ofService } = argumentsCheck;
      const place = { module, moduleName, function: name, ofService };
      yield { field: "argTypes", called: mfa, runOn, responseType: null, service, name: nameOf(config), place };
    }
    for (const { service, nodes } of serviceConfigs) {
      if (!("module" in nodes)) continue;
      yield* placed({ field: "nodes", called: nodes, runOn: "main", responseType: null }, service, service);
    }
  }

  function* placed(use: FunctionUse, service: string, name: string): Generator<PlacedUse> {
    const place = allowedPlace(use.called, allowlist);
    // Others were refused when they were to be registered.
    if (place !== null) yield { ...use, service, name, place };
  }

  return {
    uses,
    notHere(service, known) {
      const advice = `this gateway can reload ${listed(known)}`;
      if (!functionTable.services().includes(service)) {
        return libraryError("not_found", `The gateway ${gateway} has no service ${quote(service)}; ${advice}`);
      }
      const nodes = new Set<string>();
      for (const entry of functionTable.entries([service]))
        for (const node of entry.nodes?.known ?? []) nodes.add(node);
      const where = nodes.size === 0 ? "service nodes" : `the service nodes ${listed([...nodes])}`;
      const call = `call node.reload(${quote(service)}) there`;
      return libraryError("invalid_option", `The functions of ${quote(service)} run on ${where}: ${call}; ${advice}`);
    },
  };
}
