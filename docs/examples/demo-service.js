// @ts-check
import { setTimeout as sleep } from "node:timers/promises";
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
  write: {
    responseType: "stream",
    args: { about: { type: "string", maxBytes: 200 }, from: { type: "num", defaultValue: 0 } },
    // For want of a language model. Whoever lost the gateway in the middle says from which word on it goes on.
    handler: async function* ({ about, from }, { signal }) {
      for (const word of textAbout(about).split(" ").slice(from)) {
        await sleep(80, undefined, { signal });
        yield word;
      }
    },
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

/** @param {string} subject */
function textAbout(subject) {
  return `Once upon a time there was a gateway that knew nothing of ${subject}. It asked a worker thread, and the thread
    asked a service node, and the node wrote one word after the other, as they came to its mind. Nobody waited for the
    whole of it. Whoever read it could stop it at any word, and then nobody wrote any more. And when the gateway was started
    anew in the middle of a sentence, its readers saw a short pause, and after it the next word about ${subject}. So they
    read on, to the end.`.replaceAll(/\s+/g, " ");
}
