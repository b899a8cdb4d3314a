import type { EventObject } from "xstate";
import { fromResource, type ResourceLogic } from "../actor/resource.ts";
import { type AdminListen, type AdminServerOptions, openAdminServer } from "./admin-server.ts";

/** An admin listener that a supervisor can start, and start again. */
export interface AdminListener {
  readonly logic: ResourceLogic<undefined, EventObject>;
  /** Resolves when it first listens; rejects with a GenApiError `listen_failed`. */
  readonly ready: Promise<void>;
  /** Where it listens; undefined before it does. */
  readonly address: AdminListen | undefined;
}

/** Makes the actor that lets operators look in. Restarted after a crash, it listens where it did before. */
export function createAdminListener(options: AdminServerOptions): AdminListener {
  const { listen } = options;
  let bound: AdminListen | undefined;
  let onReady: () => void;
  let onFailed: (error: Error) => void;
  const ready = new Promise<void>((resolve, reject) => {
    onReady = resolve;
    onFailed = reject;
  });
  const logic = fromResource(({ fail }) => ({
    close: openAdminServer(
      // The host by its name: requests may call it so.
      { ...options, listen: bound !== undefined && "port" in bound ? { ...listen, port: bound.port } : listen },
      {
        onListening(address) {
          bound = address;
          onReady();
        },
        onError(error) {
          onFailed(error);
          fail(error);
        },
      },
    ),
    formatStatus: () => ({ listen: bound ?? null }),
  }));
  return {
    logic,
    ready,
    get address() {
      return bound;
    },
  };
}
