const isProduction = process.argv.includes("--production");

// `knip` asks what nobody uses; `knip --production`, for which entries and files end in "!", what only tests use.
export default {
  entry: [
    "src/worker/thread/thread-loop.ts!",
    "test/**/*.test.ts",
    "test/fixtures/**/*.js",
    "test/fixtures/types/*.ts",
    "bench/**/*.ts",
    "docs/examples/*.js",
  ],
  project: ["src/**/*.ts!", "test/**/*.{ts,js}", "bench/**/*.ts", "docs/examples/*.js"],
  // The page of the React test is bundled beside the hooks that docs/client.md shows.
  ignoreUnresolved: ["./hooks.ts"],
  ignoreBinaries: ["mkfifo", "script"],
  ignoreDependencies: [
    "@asyncapi/specs",
    "@trpc/client",
    "@trpc/server",
    "comedy",
    "jose",
    "moleculer",
    "nact",
    "socket.io",
    "socket.io-client",
  ],
  // Tests read some bounds and pure functions of a file that uses them itself.
  ignoreExportsUsedInFile: isProduction,
  // The actor layer is whole, with what the gateway itself does not need: it is to be published as an entry of its own.
  ignoreIssues: isProduction ? { "src/actor/**": ["files", "exports", "types"] } : {},
};
