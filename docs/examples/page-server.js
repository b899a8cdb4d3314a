// @ts-check
// Serves the page, the client and the official client as they are: browsers import modules without a bundler.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const here = new URL(".", import.meta.url);
const client = new URL("./", import.meta.resolve("gen-api/client"));
const files = new Map([
  ["/", new URL("page.html", here)],
  ["/page.js", new URL("page.js", here)],
  ["/phoenix.js", new URL(import.meta.resolve("phoenix"))],
]);

/** A server for the gateway and for its page. */
export const server = createServer(async ({ url = "" }, response) => {
  const [, module] = /^\/client\/([a-z-]+\.js)$/.exec(url) ?? [];
  const file = module === undefined ? files.get(url) : new URL(module, client);
  try {
    if (file === undefined) throw new Error(`Nothing at ${url}`);
    const content = await readFile(fileURLToPath(file));
    response.setHeader("content-type", url === "/" ? "text/html" : "text/javascript").end(content);
  } catch {
    response.writeHead(404).end();
  }
});
