import { link } from "gen-api/link";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { resolveGatewayLink, resolveNodeLink } from "../../src/node/link/link-options.ts";
import { natsSettings } from "../../src/node/nats/nats-options.ts";
import { rateLimiterDefaults } from "../../src/policy/rate-limiter/rate-limiter-options.ts";
import { adminSchema } from "../../src/runtime/options/admin-options.ts";
import { channelSchema } from "../../src/runtime/options/client-options.ts";
import { resolveOptions } from "../../src/runtime/options/options.ts";
import { resolveServiceNodeOptions } from "../../src/runtime/options/service-node-options.ts";
import type { OptionTables } from "./option-types.ts";
import { defaultsUnder, readPage } from "./tables.ts";

const page = readPage("docs/options.md");
const types = optionsByTable();

/** The options of each table, as the types have them. */
function optionsByTable(): [table: string, options: string[]][] {
  const file = new URL("option-types.ts", import.meta.url).pathname;
  const configFile = new URL("../tsconfig.json", import.meta.url).pathname;
  const { config } = ts.readConfigFile(configFile, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, new URL("..", import.meta.url).pathname);
  const program = ts.createProgram([file], options);
  const checker = program.getTypeChecker();
  const tables = program.getSourceFile(file)?.statements.find(ts.isInterfaceDeclaration);
  if (tables === undefined) throw new Error(`${file} has no interface`);
  return checker
    .getTypeAtLocation(tables)
    .getProperties()
    .map((table) => {
      const properties = checker.getTypeOfSymbolAtLocation(table, tables).getProperties();
      return [table.name, properties.map(({ name }) => name)];
    });
}

/** What the code puts in place of options that are not given, by table. */
const gateway = resolveOptions({});
const given = { name: "n", service: "s", cluster: link({ gateways: ["ws://127.0.0.1:4000/node"] }) };
const defaults: Partial<Record<keyof OptionTables, object>> = {
  Programs: gateway,
  // Of this machine.
  workerPool: { ...gateway.workerPool, threads: undefined },
  intensity: gateway.intensity,
  startGenApi: gateway,
  socket: gateway.socket,
  frameLimit: gateway.socket.frameLimit,
  channels: channelSchema.parse({ topic: "api:*" }),
  drain: gateway.drain,
  rateLimiter: rateLimiterDefaults,
  heartbeat: gateway.heartbeat,
  admin: adminSchema.parse({ listen: "127.0.0.1:4001", token: "only-for-this-test" }),
  startServiceNode: { ...resolveServiceNodeOptions(given), service: undefined },
  "link of a gateway": resolveGatewayLink({}),
  "link of a node": resolveNodeLink({ gateways: ["ws://127.0.0.1:4000/node"] }),
  nats: natsSettings({}),
};

describe.each(types)("docs/options.md, under %s,", (table, options) => {
  const documented = defaultsUnder(page, table);

  test("has a row for each option, and for nothing else", () => {
    expect(options.length).toBeGreaterThan(1);
    expect(Object.keys(documented).sort()).toEqual(options.sort());
  });

  test("tells the defaults that the code has", () => {
    const values = Object.entries(defaults[table as keyof OptionTables] ?? {});
    const simple = values.filter(
      ([name, value]) =>
        options.includes(name) &&
        documented[name] !== "required" &&
        ["number", "boolean", "string"].includes(typeof value),
    );
    const told = simple.map(([name]) => [name, withoutUnit(documented[name])]);
    expect(told).toEqual(simple.map(([name, value]) => [name, JSON.stringify(value)]));
  });
});

/** `10 000 ms` as `10000`. */
function withoutUnit(text: string | undefined): string | undefined {
  return text?.replace(/ (ms|bytes)$/, "").replaceAll(/(?<=\d) (?=\d)/g, "");
}
