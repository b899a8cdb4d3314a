import type { CallOptions } from "./options.ts";

/** Which function to call, and with what. */
export interface CallTarget {
  readonly service: string;
  readonly requestType: string;
  /** Arguments by name, of which JSON is made: dates become texts. */
  readonly args: object;
  /** When the caller stops waiting, milliseconds since 1970; undefined: never. */
  readonly deadline: number | undefined;
}

/**
 * The payload of a request.
 * @param key names what is to be done, however often it is sent
 */
export function requestPayload(id: string, target: CallTarget, { version }: CallOptions, key?: string): object {
  const { service, requestType, args, deadline } = target;
  return {
    service,
    request_type: requestType,
    request_id: id,
    args,
    // JSON leaves out what is undefined.
    version,
    idempotency_key: key,
    timeout_ms: deadline === undefined ? undefined : Math.max(1, deadline - Date.now()),
  };
}

/** The key of a call that may be sent again, a new one unless it has its own; undefined for any other. */
export function keyOf({ idempotent }: CallOptions): string | undefined {
  if (idempotent !== true) return idempotent === false ? undefined : idempotent;
  // React Native has no crypto of its own.
  const random = () => Math.random().toString(36).slice(2);
  return globalThis.crypto?.randomUUID?.() ?? random() + random();
}
