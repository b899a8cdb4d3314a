// Imports only go down, and folders of one layer never import each other (docs/architecture.md). In a folder with rooms
// the same holds between the rooms: those of one list never import each other, and "." is what lies in the folder itself.
const layers = [
  { core: [["foreign"], ["."], ["time", "fair"], ["net"]] },
  { telemetry: [["."], ["log"]] },
  {
    actor: [["lifecycle"], ["inspection", "registry"], ["gen-server"], ["supervisor"], ["."]],
    arguments: [["."]],
    execution: [["."]],
    metrics: [["."]],
    protocol: [["."]],
    tracing: [["."]],
  },
  {
    otp: [["checks"], ["."], ["task"]],
    policy: [["rate-limiter", "selection", "."]],
    worker: [["thread", "functions"], ["."]],
  },
  { config: [["."]] },
  { sync: [["presence", "push"], ["sets"], ["intake"], ["."]] },
  {
    node: [["message-pack"], ["wire"], ["greeting", "asks", "pushes", "peers"], ["calls"], ["."], ["link", "nats"]],
  },
  { call: [["functions", "request"], ["nested", "resume", "idempotency"], ["across"], ["."], ["stages"], ["host"]] },
  {
    description: [["."], ["documents"]],
    diagnostics: [["."]],
    socket: [["inbound"], ["outbound", "handshake"], ["channels"], ["pushes"], ["."]],
  },
  { admin: [["."]] },
  { runtime: [["options"], ["api", "program"], ["gateway", "service-node"], ["."]] },
];

const betweenFolders = layers.flatMap((layer, level) =>
  Object.keys(layer).map((folder) => {
    const allowed = [...layers.slice(0, level).flatMap(Object.keys), folder];
    return {
      name: `${folder}-imports-only-downwards`,
      severity: "error",
      from: { path: `^src/${folder}/` },
      to: { path: "^src/", pathNot: `^src/(${allowed.join("|")})/` },
    };
  }),
);

const folders = layers.flatMap(Object.entries);
const filesOf = (folder, room) => (room === "." ? `src/${folder}/[^/]+$` : `src/${folder}/${room}/`);
const anyOf = (paths) => `^(${paths.join("|")})`;

const betweenRooms = folders.flatMap(([folder, floors]) =>
  floors.flatMap((rooms, floor) =>
    rooms.map((room) => ({
      name: `${folder}/${room}-imports-only-rooms-below`,
      severity: "error",
      from: { path: anyOf([filesOf(folder, room)]) },
      to: {
        path: `^src/${folder}/`,
        pathNot: anyOf([...floors.slice(0, floor).flat(), room].map((allowed) => filesOf(folder, allowed))),
      },
    })),
  ),
);

const everyFolderHasALayer = {
  name: "every-folder-has-a-layer",
  severity: "error",
  from: {
    path: "^src/.*/",
    pathNot: anyOf([
      "src/cli/",
      "src/client/",
      ...folders.flatMap(([folder, floors]) => floors.flat().map((room) => filesOf(folder, room))),
    ]),
  },
  to: {},
};

const only = (library, where) => ({
  name: `${library}-only-where-it-belongs`,
  severity: "error",
  from: { path: "^src/", pathNot: where },
  to: { path: `node_modules/(@types/)?${library}/` },
});

module.exports = {
  forbidden: [
    ...betweenFolders,
    ...betweenRooms,
    everyFolderHasALayer,
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
    {
      name: "client-imports-types-only",
      severity: "error",
      from: { path: "^src/client/" },
      to: { path: "^src/", pathNot: "^src/client/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "client-runs-in-browsers",
      severity: "error",
      from: { path: "^src/client/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "nobody-imports-client",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/client/" },
      to: { path: "^src/client/" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    only("commander", "^src/cli/"),
    only("phoenix", "^src/client/"),
    only("xstate", "^src/(actor|otp)/|\\.(actor|machine)\\.ts$"),
    only("ws", "^src/(socket/(ws-server|client-socket)\\.ts$|node/link/)"),
    only("@nats-io", "^src/node/nats/"),
    only("piscina", "^src/worker/"),
    only("opossum", "^src/worker/"),
    only("prom-client", "^src/metrics/"),
    only("@opentelemetry", "^src/tracing/"),
    only("pino", "^src/telemetry/log/"),
    only("zod", "^src/(core|config|sync|node|admin|runtime)/"),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
