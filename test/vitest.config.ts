import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// Another XState than the package's own, as test/otp/next-xstate.test.ts asks for it: the address of its module.
const xstate = process.env.GEN_API_TEST_XSTATE;

export default defineConfig({
  resolve: { alias: xstate === undefined ? [] : [{ find: /^xstate$/, replacement: xstate }] },
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts"],
    // Real servers, threads and processes: forks give each file its own process, as a user's program has.
    pool: "forks",
    // Many files wait for processes and timers more than they compute.
    maxWorkers: Math.max(2, Math.ceil(1.5 * availableParallelism())),
    // Only a hang takes so long: on a busy machine, tests of several processes take many times what they take alone.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 100_000, interval: 5 } },
    // An unhandled rejection or error anywhere fails the run.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
