import { createRequire } from "node:module";
import { libraryError, toError } from "../../core/errors.ts";

/** What speaks NATS: optional packages, imported when a transport over NATS opens and never before. */
export interface NatsPackages {
  readonly transport: typeof import("@nats-io/transport-node");
  readonly jetstream: typeof import("@nats-io/jetstream");
  readonly kv: typeof import("@nats-io/kv");
}

const names = ["@nats-io/transport-node", "@nats-io/jetstream", "@nats-io/kv"];

/** Those of the packages that are not installed. */
export function missingNatsPackages(): string[] {
  const require = createRequire(import.meta.url);
  return names.filter((name) => {
    try {
      require.resolve(name);
      return false;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return true;
      throw thrown;
    }
  });
}

/** @throws GenApiError `invalid_option` where one is missing or cannot be imported */
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
export const neededPackages = `over NATS needs the packages ${names.join(", ")}: run \`npm install ${names.join(" ")}\``;
