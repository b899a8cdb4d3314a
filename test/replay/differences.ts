import type { Frame } from "../support/network/raw-client.ts";
import type { Recorded } from "./recording.ts";

/** What we answer a case with instead of the recorded frames. */
export type Expected = (recorded: Recorded) => Frame[];

/** Cases that we answer otherwise on purpose. */
interface Difference {
  /** The words in docs/differences.md that say so, up to where they are no longer bold. */
  readonly line: string;
  readonly cases: Readonly<Record<string, Expected>>;
}

interface Options {
  /** The position in the case of the frame that is answered. @default 0 */
  readonly of?: number;
  /** @default the id that the request was sent with */
  readonly requestId?: string;
}

/** A success's push and its reply. */
function success(result: unknown, { of = 0, requestId }: Options = {}): Expected {
  return (recorded) => {
    const [joinRef, ref, topic, event, payload] = sentFrame(recorded, of);
    const response = {
      request_id: requestId ?? payload.request_id,
      result,
      success: true,
      error: null,
      async: false,
      has_more: false,
      can_retry: false,
    };
    return [
      [joinRef, null, topic, event, response],
      [joinRef, ref, topic, "phx_reply", { status: "ok", response: payload.request_type }],
    ];
  };
}

/** A failure's push: the seven fields, and what says which failure it is. */
function failurePush(failure: object, { of = 0, requestId }: Options = {}): Expected {
  return (recorded) => {
    const [joinRef, , topic, event, payload] = sentFrame(recorded, of);
    const response = {
      request_id: requestId ?? payload?.request_id,
      result: null,
      success: false,
      async: false,
      has_more: false,
      can_retry: false,
      ...failure,
    };
    return [[joinRef, null, topic, event, response]];
  };
}

/** A failure's push and its reply, which is "ok" and tells nothing of it. */
function failure(told: object, options: Options = {}): Expected {
  return (recorded) => {
    const [joinRef, ref, topic, , payload] = sentFrame(recorded, options.of ?? 0);
    const reply = { status: "ok", response: payload.request_type };
    return [...failurePush(told, options)(recorded), [joinRef, ref, topic, "phx_reply", reply]];
  };
}

/** A refusal's push and its reply, which tells the same. */
function refused(told: { error: string; error_code: string }, inReply: string, options: Options = {}): Expected {
  return (recorded) => {
    const [joinRef, ref, topic] = sentFrame(recorded, 0);
    const reply = { status: "error", response: inReply };
    return [...failurePush(told, options)(recorded), [joinRef, ref, topic, "phx_reply", reply]];
  };
}

const invalidArgument = (error: string) => refused({ error, error_code: "invalid_argument" }, error);
const invalidRequest = (problem: string, options?: Options) =>
  refused({ error: `Invalid request: ${problem}`, error_code: "invalid_request" }, problem, options);

/** The recorded frames, and more. */
const andThen =
  (more: Expected): Expected =>
  (recorded) => [...recorded.received, ...more(recorded)];

/** The recorded frames, without chunks that are Responses. */
const withoutNestedResponse: Expected = ({ received }) => received.filter(([, , , , payload]) => !isNested(payload));

function isNested(payload: unknown): boolean {
  const { result } = payload as { result?: unknown };
  return typeof result === "object" && result !== null && "can_retry" in result;
}

/** A frame of a request, as it was sent. */
function sentFrame(recorded: Recorded, at: number) {
  const [joinRef, ref, topic, event, payload] = recorded.sent[at] as Frame;
  return [joinRef, ref, topic, event, payload as { request_id?: string; request_type?: string }] as const;
}

const internal = { error: "Internal Server Error", error_code: "internal" };
const unavailable = { error: "Service temporarily unavailable", error_code: "unavailable", can_retry: true };
const timedOut = { error: "Request timed out after 1000 ms", error_code: "timeout", can_retry: true };
const exhausted = { error: "All retry attempts exhausted", error_code: "retry_exhausted" };
const denied = { error: "Permission denied", error_code: "permission_denied" };
const hookRejected = (reason: string) => ({ error: `hook rejected: ${reason}`, error_code: "hook_rejected" });
const unknown = { requestId: "unknown" };

export const differences: readonly Difference[] = [
  {
    line: "Identity comes only from the connection.",
    cases: {
      "request_info with spoofed device_id": success({
        msg: "m",
        info: { user_id: "u1", device_id: "d1", request_id: "req-1" },
      }),
      "pub channel, no user, payload user_id spoof + :any_authenticated": failure(denied),
      "noov channel (override_user_id false), payload user_id": success({
        msg: "x",
        info: { user_id: "other", device_id: "d1", request_id: "req-1" },
      }),
      "perm {:role} roles only in socket assigns (admin)": success("x"),
    },
  },
  {
    line: "A payload is checked before it is used.",
    cases: {
      "args is a number": invalidRequest("args must be a map, got number"),
      "version number": invalidRequest("version must be a semantic version or null, got 1"),
      "request_id empty": invalidRequest("Missing required fields: request_id", unknown),
      "request_id object": invalidRequest("request_id must be a string, got map", unknown),
      "service number": invalidRequest("service must be a string, got number"),
      "payload is a string": invalidRequest("The payload must be a map, got string", unknown),
      "payload is a list": invalidRequest("The payload must be a map, got list", unknown),
      "raw: payload null": invalidRequest("The payload must be a map, got null", unknown),
      'perm {:role} user_roles "admin" (string) in payload': invalidRequest(
        "user_roles must be a list of strings or null, got string",
      ),
      'perm {:role} user_roles [1,"",null,"admin"] in payload': invalidRequest(
        "user_roles must be a list of strings or null, got list",
      ),
    },
  },
  {
    line: "A `version` that is no semantic version",
    cases: { 'version "" ': invalidRequest('version must be a semantic version or null, got ""') },
  },
  {
    line: "Requests of one channel run side by side.",
    cases: {
      "pipelined slow then echo (same channel: serial?)": (recorded) => [
        ...success("1", { of: 1 })(recorded),
        ...success("slept 400")(recorded),
      ],
    },
  },
  {
    line: "A function that throws harms no other call.",
    cases: {
      "exit local sync": failure(internal),
      "raw: rejoin after channel crash, then echo": (recorded) => [
        ...failure(internal)(recorded),
        ["20", "20", recorded.topic, "phx_reply", { status: "ok", response: {} }],
        // The channel lives: it is closed when its topic is joined again.
        ["3", "3", recorded.topic, "phx_close", {}],
        ...success("x", { of: 2 })(recorded),
      ],
    },
  },
  {
    line: "Every request gets exactly one final Response",
    cases: {
      "async crash": andThen(failurePush(internal)),
      "stream fn crashes": andThen(failurePush(internal)),
    },
  },
  {
    line: "Failures say what they are.",
    cases: {
      "sync timeout (1000ms)": failure(timedOut),
      "remote timeout (1000ms)": failure(timedOut),
      "retry same_node 2 exhausted (local)": failure(exhausted),
      "retry all_nodes 2 exhausted (local)": failure(exhausted),
      "remote node down": failure(unavailable),
    },
  },
  {
    line: "Arguments are checked before anything is acknowledged",
    cases: refusedArguments({
      "async bad arg": ["msg", "string", "number"],
      "none with bad arg": ["msg", "string", "number"],
      "stream bad arg": ["n", "number", "string"],
      "args omitted though required": ["msg", "string", "nothing"],
      "extra arg": ["more", 'no other arguments than "msg"', "another"],
      "nil for non-nil": ["msg", "string", "null"],
      "string 3001 bytes": ["msg", "string of at most 3000 bytes", "string of 3001 bytes"],
      "string 1001 x 3-byte chars": ["msg", "string of at most 3000 bytes", "string of 3003 bytes"],
      "type :string value true": ["v", "string", "boolean"],
      "type :string value []": ["v", "string", "list"],
      "type :string value {}": ["v", "string", "map"],
      "type :num value true": ["v", "number", "boolean"],
      "type :num value null": ["v", "number", "null"],
      "type :boolean value 0": ["v", "boolean", "number"],
      'type :uuid value "nope"': ["v", "UUID of 32 hexadecimal digits", "string of 4 characters"],
      "type :uuid value 1": ["v", "UUID of 32 hexadecimal digits", "number"],
      'type :datetime value "nope"': ["v", "ISO 8601 date and time with an offset or Z", "string of 4 characters"],
      "type :datetime value 5": ["v", "ISO 8601 date and time with an offset or Z", "number"],
      'type :naive_datetime value "x"': ["v", "ISO 8601 date and time", "string of 1 characters"],
      'type :list_string value "x"': ["v", "list", "string"],
      'type :list_num value ["1"]': ["v[0]", "number", "string"],
      'type :list_uuid value ["x"]': ["v[0]", "UUID of 32 hexadecimal digits", "string of 1 characters"],
      "type :list_uuid value 1": ["v", "list", "number"],
      "type :list_map value {}": ["v", "list", "map"],
      'type :map value "x"': ["v", "map", "string"],
      "list_num 1001 items": ["v", "list of at most 1000 items", "list of 1001 items"],
      "list_string item 3001 bytes": ["v[0]", "string of at most 3000 bytes", "string of 3001 bytes"],
      "create_post title wrong type": ["title", "string", "number"],
      "create_post 11 tags": ["tags", "list of at most 10 items", "list of 11 items"],
      "create_post tag 51 bytes": ["tags[0]", "string of at most 50 bytes", "string of 51 bytes"],
      "create_post metadata missing author": ["metadata", 'map with the key "author"', "map without it"],
      "create_post metadata extra key": [
        "metadata",
        'map with no other keys than "author", "email"',
        'map with the key "x"',
      ],
      "create_post metadata author null": ["metadata", 'map with the key "author"', "map with null there"],
    }),
  },
  {
    line: "All 13 argument types work.",
    cases: {
      'type :datetime value "2024-01-01T00:00:00Z"': success({ got: "~U[2024-01-01 00:00:00Z]" }),
      "type :list value [[1]]": success({ got: "[[1]]" }),
      "type :any value 1": success({ got: "1" }),
      'type :any value "x"': success({ got: '"x"' }),
      'type :any value {"a":1}': success({ got: '%{"a" => 1}' }),
      "all 13 documented types (config forced into ETS)": success([
        '"s"',
        "1",
        "true",
        '"550e8400-e29b-41d4-a716-446655440000"',
        "~U[2023-12-31 17:00:00Z]",
        '"2024-01-01T00:00:00"',
        "[1]",
        '["a"]',
        "[1]",
        '["550e8400-e29b-41d4-a716-446655440000"]',
        '[%{"a" => 1}]',
        '%{"k" => "v"}',
        "1",
      ]),
    },
  },
  {
    line: "Without `argOrders`, arguments are passed in the order in which `argTypes` declares them",
    cases: { "arg_orders [] with two arg_types": success(3) },
  },
  {
    line: "A function that does not exist is refused when its FunConfig is registered.",
    cases: {
      "function missing": failure({
        error: "unsupported function: missing_fun version latest",
        error_code: "not_found",
      }),
    },
  },
  {
    line: "Hooks are bounded and heard.",
    cases: { "hook_slow 1500ms with hook_timeout 200": failure(hookRejected("timed out after 200 ms")) },
  },
  {
    line: "A hook's reason is sent as it was thrown:",
    cases: { hook_raise: failure(hookRejected("hook boom")) },
  },
  {
    line: "Nodes are named by strings.",
    cases: { "remote node given as string": success("x") },
  },
  {
    line: "A stream's chunks are what its function sends.",
    cases: {
      "stream_count 3": withoutNestedResponse,
      "stream_count 0": withoutNestedResponse,
      "stream send_last_result": withoutNestedResponse,
      "stream stopped early via app event stop_stream": withoutNestedResponse,
      "two streams interleaved": withoutNestedResponse,
      "leave channel during stream": withoutNestedResponse,
      "remote stream 3": withoutNestedResponse,
    },
  },
  {
    line: "A stream's `timeout` is the time without a chunk,",
    cases: {
      "stream timeout 450ms (20 x 100ms)": (recorded) => {
        const [[joinRef, , topic, event, init], reply] = recorded.received as [Frame, Frame];
        const push = (change: object): Frame => [joinRef, null, topic, event, { ...(init as object), ...change }];
        const chunks = Array.from({ length: 20 }, (_, index) => push({ result: index + 1 }));
        return [push({}), reply, ...chunks, push({ result: null, has_more: false })];
      },
    },
  },
  {
    line: "Elixir's `{:ok, value}` and `{:error, reason}` are `return value` and `throw new GenApiError(reason, message)`.",
    cases: { 'fail {:error,"boom"}': failure({ error: "boom", error_code: "failed", reason: "boom" }) },
  },
  {
    line: "Other tuples are lists, and a result like any other.",
    cases: {
      "fail 3-tuple {:error,a,b}": success(["error", "a", "b"]),
      "{:ok,1,2}": success(["ok", 1, 2]),
      "return tuple": success([1, 2]),
    },
  },
  {
    line: "What `JSON.stringify` takes can be returned:",
    cases: {
      "return datetime": success("2024-01-01T00:00:00.000Z"),
      "return ok_tuple": success([1, 2]),
      "return bad_utf8": success("\ud800"),
      "return pid": failure(internal),
    },
  },
];

/** Cases refused for one argument: its name, what was expected of it, and what came. */
function refusedArguments(cases: Readonly<Record<string, readonly [name: string, expected: string, came: string]>>) {
  return Object.fromEntries(
    Object.entries(cases).map(([name, [argument, expected, came]]) => [
      name,
      invalidArgument(`Argument ${JSON.stringify(argument)}: expected ${expected}, got ${came}`),
    ]),
  );
}
