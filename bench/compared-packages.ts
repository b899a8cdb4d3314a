import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const packages = [
  "moleculer@0.15.2",
  "nats@2.29.3",
  "cbor-x@1.6.9",
  "socket.io@4.8.3",
  "nact@7.6.2",
  "comedy@2.1.7",
  "socket.io-client@4.8.3",
  "@trpc/server@11.25.2",
  "@trpc/client@11.25.2",
];

/**
 * Installs what gen-api is compared with beside the compiled bench, all of it at once, since npm removes what it is not
 * asked for. None of it is a devDependency: only measurements use it, and Moleculer asks for Node 22, though it runs on
 * 20, of which npm would warn everybody who installs gen-api there.
 */
export function installCompared(): void {
  const options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
  const folder = fileURLToPath(new URL(".", import.meta.url));
  execFileSync("npm", ["install", "--prefix", folder, ...options, ...packages], { stdio: "inherit" });
}
