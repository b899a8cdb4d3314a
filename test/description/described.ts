import { defineService, type GatewayDescription } from "gen-api";
import { parseFunConfig } from "../../src/config/fun-config.ts";
import { FunctionTable } from "../../src/config/function-table.ts";
import { describeGateway } from "../../src/description/describe-gateway.ts";

const handler = () => 1;
const user = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: { id: { type: "string", description: "Its id." }, friends: { type: "array", items: { $ref: "#" } } },
  required: ["id"],
};

/** Every kind of function, and names and texts that no document expects. */
export const shop = defineService("shop", import.meta.url, {
  get_user: {
    description: "The user.\nOr nothing */ at all",
    args: { user_id: "string", at: { type: "datetime", allowNil: true } },
    resultSchema: user,
    hints: { readOnly: true },
    handler,
  },
  report: { responseType: "async", checkPermission: { role: ["admin"] }, deprecated: "Use `get_user`", handler },
  ticks: {
    responseType: "stream",
    args: { from: { type: "num", defaultValue: 1 } },
    chunkSchema: { type: "object", properties: { tick: { type: "integer" } }, required: ["tick"] },
    *handler() {
      yield 1;
    },
  },
  log: { responseType: "none", args: { line: "string" }, deprecated: true, handler },
  "odd name/{x}": { args: { "odd-name": "any", list: "list_map" }, handler },
  everything: {
    args: {
      uuid: "uuid",
      nums: { type: "list_num", maxItems: 3 },
      map: { type: "map", required: ["a"], accept: ["a", "b"] },
      naive: { type: "naive_datetime", defaultValue: "2026-01-01T00:00:00" },
    },
    handler,
  },
});

/** The description of a gateway with these functions. */
export function described(services: readonly { readonly functions: readonly object[] }[] = [shop]): GatewayDescription {
  const functionTable = new FunctionTable();
  for (const { functions } of services) {
    for (const config of functions) functionTable.put({ config: parseFunConfig(config) });
  }
  return describeGateway({
    gateway: "gateway@127.0.0.1",
    socketPath: "/socket",
    channels: [
      { topic: "api:*", event: "api" },
      { topic: "lobby", event: "rpc" },
    ],
    functionTable,
    limits: () => [{ scope: "global", key: "userId", maxRequests: 10, windowMs: 1_000 }],
  });
}
