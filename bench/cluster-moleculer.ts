import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { BrokerOptions } from "moleculer";

/**
 * Installs Moleculer beside the compiled bench. It is no devDependency: it asks for Node 22, though it runs on 20, and
 * npm would warn everybody who installs gen-api there of what only this compares with.
 */
export function installMoleculer(): void {
  const packages = ["moleculer@0.15.2", "nats@2.29.3", "cbor-x@1.6.9"];
  const options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
  const folder = fileURLToPath(new URL(".", import.meta.url));
  execFileSync("npm", ["install", "--prefix", folder, ...options, ...packages], { stdio: "inherit" });
}

/** The default, and the one that Moleculer's documentation calls the fastest. */
export type MoleculerSerializer = "JSON" | "CBOR";

/**
 * The options of one node of a Moleculer cluster as its documentation has them in production, and nothing on that costs a
 * call more: no tracing, metrics, tracking, bulkhead, breaker or retries (all off by default), no validation, no timeout.
 */
export function brokerOptions(nodeID: string, serializer: MoleculerSerializer, natsUrl: string): BrokerOptions {
  return {
    nodeID,
    // Both serializers are measured on one NATS server.
    namespace: serializer,
    transporter: { type: "NATS", options: { url: natsUrl } },
    serializer,
    logger: false,
    validator: false,
    internalServices: false,
  };
}
