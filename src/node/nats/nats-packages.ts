import { createRequire } from "node:module";
import { libraryError, toError } from "../../core/errors.ts";

/** The packages for NATS: optional, and imported only when a transport over NATS opens. */
export interface NatsPackages {
  readonly transport: typeof import("@nats-io/transport-node");
  readonly jetstream: typeof import("@nats-io/jetstream");
  readonly kv: typeof import("@nats-io/kv");
}

const packageNames = ["@nats-io/transport-node", "@nats-io/jetstream", "@nats-io/kv"];

/** The packages that are not installed. */
export function missingNatsPackages(): string[] {
  const require = createRequire(import.meta.url);
  return packageNames.filter((name) => {
    try {
      require.resolve(name);
      return false;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return true;
      throw thrown;
    }
  });
}

/** @throws GenApiError `invalid_option` if one is missing or cannot be imported */
export async function importNatsPackages(): Promise<NatsPackages> {
  try {
    const [transport, jetstream, kv] = await Promise.all([
      import("@nats-io/transport-node"),
      import("@nats-io/jetstream"),
      import("@nats-io/kv"),
    ]);
    return { transport, jetstream, kv };
  } catch (thrown) {
    const cause = toError(thrown);
    throw libraryError("invalid_option", `cluster ${neededPackages}: ${cause.message}`, { cause });
  }
}

/** The fault of a program that lacks them. */
export const neededPackages = `over NATS needs the packages ${packageNames.join(", ")}: run \`npm install ${packageNames.join(" ")}\``;
