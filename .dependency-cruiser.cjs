// Imports only go down, and folders of one layer never import each other (docs/architecture.md).
const layers = [
  ["core"],
  ["telemetry"],
  ["actor", "protocol", "arguments"],
  ["config", "policy", "worker"],
  ["node"],
  ["call"],
  ["socket", "diagnostics", "metrics", "tracing"],
  ["runtime"],
];

const forbidden = layers.flatMap((folders, level) =>
  folders.map((folder) => {
    const allowed = [...layers.slice(0, level).flat(), folder];
    return {
      name: `${folder}-imports-only-downwards`,
      severity: "error",
      from: { path: `^src/${folder}/` },
      to: { path: "^src/", pathNot: `^src/(${allowed.join("|")})/` },
    };
  }),
);

const only = (library, where) => ({
  name: `${library}-only-where-it-belongs`,
  severity: "error",
  from: { path: "^src/", pathNot: where },
  to: { path: `node_modules/(@types/)?${library}/` },
});

module.exports = {
  forbidden: [
    ...forbidden,
    {
      name: "cli-imports-types-only",
      severity: "error",
      from: { path: "^src/cli/" },
      to: { path: "^src/", pathNot: "^src/cli/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "nobody-imports-cli",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    only("commander", "^src/cli/"),
    only("xstate", "^src/actor/|\\.(actor|machine)\\.ts$"),
    only("ws", "^src/(socket/ws-server\\.ts$|node/link/)"),
    only("@nats-io", "^src/node/nats/"),
    only("msgpackr", "^src/node/"),
    only("piscina", "^src/worker/"),
    only("opossum", "^src/worker/"),
    only("prom-client", "^src/metrics/"),
    only("@opentelemetry", "^src/tracing/"),
    only("pino", "^src/telemetry/"),
    only("zod", "^src/(core|config|node|diagnostics|runtime)/"),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
