import type { HostCallOptions, HostCalls, HostRequest } from "../call/host/host-calls.ts";
import { internal } from "../call/request/failure.ts";
import { encodeChunk, encodeFailure, encodeStreamEnd } from "../call/request/response.ts";
import { isGenApiError } from "../core/errors.ts";

/** The Responses of a stream, each a line of JSON: its chunks, as fast as they are taken, and its end. */
export async function* responseLines(
  calls: Pick<HostCalls, "stream">,
  request: HostRequest & { readonly requestId: string },
  options: HostCallOptions,
): AsyncGenerator<string, void, void> {
  const { requestId } = request;
  try {
    for await (const chunk of calls.stream(request, options)) {
      yield `${encodeChunk(requestId, JSON.stringify(chunk))}\n`;
    }
    yield `${encodeStreamEnd(requestId, "null")}\n`;
  } catch (thrown) {
    yield `${encodeFailure(requestId, isGenApiError(thrown) ? thrown : internal(thrown), false)}\n`;
  }
}
