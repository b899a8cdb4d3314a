import type { ThreadStart } from "./thread-protocol.ts" with { "resolution-mode": "import" };

/**
 * What Piscina runs on a thread. It tries `require` first, and a module that Node has required as an ES module and could
 * not finish spoils later imports of it (https://github.com/nodejs/node/issues/58945). This file is CommonJS, so that all
 * others are only imported.
 */
exports.threadLoop = async (start: ThreadStart): Promise<void> => {
  const { threadLoop } = await import("./thread-loop.ts");
  return threadLoop(start);
};
