type ThreadStart = import("./thread-protocol.ts", { with: { "resolution-mode": "import" }}).ThreadStart;

/**
 * The entry of a thread, run by Piscina, which tries `require` first. If Node requires an ES module and cannot finish it,
 * later imports of that module fail (https://github.com/nodejs/node/issues/58945). This file is therefore CommonJS, so
 * that all others are only imported.
 */
exports.threadLoop = async (start: ThreadStart): Promise<void> => {
  const { threadLoop } = await import("./thread-loop.ts");
  return threadLoop(start);
};
