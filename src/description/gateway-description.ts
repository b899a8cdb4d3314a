import type { ArgTypeName } from "../arguments/declarations.ts";
import type { JsonSchema } from "../arguments/json-schema.ts";
import type { FunConfig, FunctionHints } from "../config/fun-config.ts";
import type { Claims } from "../core/request-info.ts";

/** Who is to be told what it may call. What is left out, it does not have: `{}` is an anonymous client. */
export interface DescribedIdentity {
  /** Its user id. @default null */
  readonly userId?: string | null | undefined;
  /** Its roles. @default [] */
  readonly userRoles?: readonly string[] | undefined;
  /** Its claims. @default {} */
  readonly claims?: Claims | undefined;
}

/** What a gateway offers, as plain data. */
export interface GatewayDescription {
  /** The gateway's name. */
  readonly gateway: string;
  /** The path of its sockets, to which clients add `/websocket`. */
  readonly socketPath: string;
  /** The topics on which clients send requests. */
  readonly channels: readonly ChannelDescription[];
  /** Its services, by name. */
  readonly services: readonly ServiceDescription[];
}

/** The topics of one kind. */
export interface ChannelDescription {
  /** The topic, or the beginning of topics and `*`. */
  readonly topic: string;
  /** The event of requests and Responses. */
  readonly event: string;
}

/** The functions of one service. */
export interface ServiceDescription {
  /** Its name. */
  readonly service: string;
  /** Its functions, by request type, each with its versions one after another. */
  readonly functions: readonly FunctionDescription[];
}

/** One version of a function. */
export interface FunctionDescription {
  /** Its name in requests. */
  readonly requestType: string;
  /** Its version; null: unversioned. */
  readonly version: string | null;
  /** Whether requests that name no version get this one. */
  readonly isLatest: boolean;
  /** Whether its calls are refused. */
  readonly disabled: boolean;
  /** How its requests are answered. */
  readonly responseType: FunConfig["responseType"];
  /** What it does; null if nobody says. */
  readonly description: string | null;
  /** Whether clients should no longer call it, perhaps with what to do instead. */
  readonly deprecated: boolean | string;
  /** What a call may do, as far as it is known. */
  readonly hints: FunctionHints;
  /** Its declared arguments; null if it ignores what is sent, or if a schema of its own decides. */
  readonly arguments: readonly ArgumentDescription[] | null;
  /** The JSON Schema of its arguments. */
  readonly argsSchema: JsonSchema;
  /** The JSON Schema of its result; null if it is unknown, or there is none. */
  readonly resultSchema: JsonSchema | null;
  /** The JSON Schema of its chunks; null if it is unknown, or there are none. */
  readonly chunkSchema: JsonSchema | null;
  /** Who may call it; `"callback"`: a function decides, call by call. */
  readonly permission: FunConfig["checkPermission"] | "callback";
  /** What bounds its calls. */
  readonly limits: FunctionLimits;
}

/** A declared argument. */
export interface ArgumentDescription {
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: ArgTypeName;
  /** Whether it must be sent. */
  readonly isRequired: boolean;
  /** Whether null may be sent. */
  readonly allowNil: boolean;
  /** The value of an argument that is not sent; left out if there is none. */
  readonly defaultValue?: unknown;
}

/** What bounds the calls of a function. */
export interface FunctionLimits {
  /** How long one attempt, or a stream's pause between two chunks, may take, milliseconds; null: without limit. */
  readonly timeoutMs: number | null;
  /** The limits that count its requests. */
  readonly rateLimits: readonly RateLimitDescription[];
}

/** A limit that counts a function's requests. */
export interface RateLimitDescription {
  /** Whether it counts all requests or this function's. */
  readonly scope: "global" | "function";
  /** What has a count of its own: a user, an address, a claim, an argument. */
  readonly key: string;
  /** How many requests may come within the time. */
  readonly maxRequests: number;
  /** The time, milliseconds. */
  readonly windowMs: number;
}
