type ThreadStart = import("./thread-protocol.ts", { with: { "resolution-mode": "import" }}).ThreadStart;

// A variable, so that no tool counts the whole package among the parts of a thread.
const wholePackage = "../../index.js";

/**
 * The entry of a thread, run by Piscina, which tries `require` first. If Node requires an ES module and cannot finish it,
 * later imports of that module fail (https://github.com/nodejs/node/issues/58945). This file is therefore CommonJS, so
 * that all others are only imported.
 *
 * For the same reason the whole package is imported before any module of the user's: a CommonJS service requires it, which
 * fails while the import of an ES module beside it has it half loaded.
 */
exports.threadLoop = async (start: ThreadStart): Promise<void> => {
  await import(wholePackage);
  const { threadLoop } = await import("./thread-loop.ts");
  return threadLoop(start);
};
