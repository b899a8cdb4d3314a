// @ts-check
import { defineService, GenApiError } from "gen-api";

const users = new Map([
  ["1", { id: "1", name: "Alice" }],
  ["2", { id: "2", name: "Bob" }],
]);

/** A few functions to call; each runs on a worker thread. */
export default defineService("demo", import.meta.url, {
  hello: {
    args: { name: "string" },
    handler: ({ name }) => `Hello, ${name}!`,
  },
  get_user: {
    args: { user_id: "string" },
    handler: async ({ user_id }) => {
      const user = users.get(user_id);
      if (user === undefined) throw new GenApiError("no_such_user", `There is no user ${user_id}`);
      return user;
    },
  },
  add: {
    args: { a: "num", b: "num" },
    handler: ({ a, b }) => a + b,
  },
  whoami: {
    checkPermission: "any_authenticated",
    handler: (_args, { userId, userRoles }) => ({ userId, userRoles }),
  },
  fibonacci: {
    args: { n: "num" },
    timeout: 2_000,
    handler: ({ n }) => fibonacci(n),
  },
});

/** Slow on purpose: it holds its thread, and the gateway goes on answering. @param {number} n @returns {number} */
function fibonacci(n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
