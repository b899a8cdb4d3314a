import type { EventObject } from "xstate";
import { fromResource, type ResourceLogic } from "../actor/resource.ts";
import { type AdminListen, type AdminServerOptions, openAdminServer } from "./admin-server.ts";

/** An admin listener that a supervisor can start and restart. */
export interface AdminListener {
  readonly logic: ResourceLogic<undefined, EventObject>;
  /** Resolves when it first listens; rejects with a GenApiError `listen_failed`. */
  readonly ready: Promise<void>;
  /** Where it listens; undefined before it does. */
  readonly address: AdminListen | undefined;
}

/** Creates the actor of the operators' listener. Restarted after a crash, it listens at the same place as before. */
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
      // By its name, which requests may use.
      { ...options, listen: bound !== undefined && "port" in bound ? { ...listen, port: bound.port } : listen },
      {
        onListening(address) {
          bound = address;
          onReady();
        },
        onError(error) {
          onFailed(error);
          // Whoever starts the gateway hears of a first failure, and stops the rest: no other try would end otherwise.
          if (bound !== undefined) fail(error);
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
