import type { CallTarget } from "./call-target.ts";
import { GenApiError } from "./gen-api-error.ts";
import type { CallOptions } from "./options.ts";
import type { Requests } from "./requests.ts";
import { ResultCall } from "./result-call.ts";
import { ServiceStream } from "./service-stream.ts";

/** What a call returns, as only the types know which of the two it is: a promise of its result, or its chunks. */
export type ServiceCall<Result = unknown, Chunk = unknown> = Promise<Result> & AsyncIterable<Chunk>;

/** Calls a function. Whether it is a stream is seen in this turn: its chunks are asked for, or not. */
export function serviceCall(
  requests: Requests,
  service: string,
  requestType: string,
  args: object,
  options: CallOptions,
): ServiceCall {
  const { timeoutMs } = options;
  const deadline = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
  const target: CallTarget = { service, requestType, args, deadline };
  let stream: ServiceStream | undefined;
  let isCall = false;
  const result = new Promise((resolve, reject) => {
    queueMicrotask(() => {
      if (stream !== undefined) return;
      isCall = true;
      new ResultCall(requests, target, options, resolve, reject).start();
    });
  });
  return Object.assign(result, {
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      if (isCall || stream !== undefined) {
        const message = `${service}.${requestType}: begin the loop, \`for await\`, in the turn of the call, and once`;
        throw new GenApiError("invalid_request", message);
      }
      stream = new ServiceStream(requests, target, options);
      return stream;
    },
  });
}
