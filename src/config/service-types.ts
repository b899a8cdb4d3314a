import type { ArgOptions, ArgTypeName, ArgTypes } from "../arguments/declarations.ts";
import type { RequestInfo } from "../core/request-info.ts";
import type { HandlerHolder } from "../execution/load-function.ts";
import type { FunConfigInput } from "./fun-config.ts";
import type { OutputOf, StandardSchema } from "./standard-schema.ts";

/** The TypeScript type of a valid argument of each declared type. */
interface ArgValues {
  string: string;
  num: number;
  boolean: boolean;
  uuid: string;
  datetime: Date;
  naive_datetime: string;
  list: unknown[];
  list_string: string[];
  list_num: number[];
  list_uuid: string[];
  list_map: Record<string, unknown>[];
  map: Record<string, unknown>;
  any: unknown;
}

// In TypeScript 5.9 `Type extends { readonly type: infer Name }` infers nothing here: the pattern must match all of
// ArgOptions.
type ValueOf<Type> = Type extends ArgTypeName
  ? ArgValues[Type]
  : Type extends ArgOptions & { readonly allowNil?: false | undefined }
    ? ArgValues[Type["type"]]
    : Type extends ArgOptions
      ? ArgValues[Type["type"]] | null
      : never;

/**
 * What a handler with these argument types receives: the validated arguments by name, or what its schema makes of them.
 */
export type ArgsOf<Args> = Args extends StandardSchema
  ? OutputOf<Args>
  : { -readonly [Name in keyof Args]: ValueOf<Args[Name]> };

type ResponseType = NonNullable<FunConfigInput["responseType"]>;

/**
 * One function of a service: its handler, its arguments, and any field of a FunConfig that differs from the default.
 */
export interface FunctionDefinition<Args>
  extends Partial<Omit<FunConfigInput, "service" | "mfa" | "argTypes" | "argOrders">> {
  /** The function's public name, used by requests as `request_type`. @default its key in the definition */
  readonly requestType?: string;
  /** Where it runs: `"local"`, in the program that registers the service, or as in a FunConfig. @default "local" */
  readonly nodes?: FunConfigInput["nodes"];
  /**
   * How long one attempt may take, milliseconds, from 100 to 300_000, or `"infinity"`; for a stream, the longest pause
   * between chunks. @default 5_000
   */
  readonly timeout?: FunConfigInput["timeout"];
  /** Whether the handler gets a RequestInfo as its second argument; false saves creating one per call. @default true */
  readonly requestInfo?: FunConfigInput["requestInfo"];
  /**
   * Argument types by name, or a Standard Schema of an object, such as zod's, which is checked where the function runs.
   * @default none: the function takes no arguments
   */
  // Editors complete the type names: while one is being written `Args` matches nothing, and ArgTypes alone is left.
  // ArgTypes does not stand in a union, in which unknown options would be let be.
  readonly args?: Args extends StandardSchema ? Args : (Args extends ArgTypes ? Args : unknown) & ArgTypes;
  /** A Standard Schema of its result, which fills `resultSchema`, and is checked only with `checkResults`. @default none */
  readonly result?: StandardSchema | undefined;
  /** A Standard Schema of a chunk of its stream, which fills `chunkSchema`, as `result` does. @default none */
  readonly chunk?: StandardSchema | undefined;
  /** Whether what the function answers is checked: what does not match fails as `internal`. @default false */
  readonly checkResults?: boolean | undefined;
  /**
   * Receives the arguments as one object, or what their schema makes of them, and, unless `requestInfo` is false, the RequestInfo. (One object, because
   * TypeScript does not order the keys of an object: positions could not be typed.)
   */
  handler(args: ArgsOf<Args>, info: RequestInfo): unknown;
}

/**
 * The functions that `defineService` takes. Each of these mapped types infers one thing from the same literal on its
 * own, so no field makes TypeScript lose another, in any order. The parameters have no constraint: with one, a function
 * without the field would make TypeScript lose the field of all others.
 */
export type Definitions<Args, Results, ResponseTypes, Names> = {
  readonly [Key in keyof Results]: { handler(...all: never[]): Results[Key] };
} & {
  // After Results: TypeScript infers functions that wrap a handler from the handler's last signature.
  readonly [Key in keyof Args]: FunctionDefinition<Args[Key]>;
} & {
  readonly [Key in keyof ResponseTypes]: {
    readonly responseType?: ResponseTypes[Key] extends ResponseType | undefined
      ? ResponseTypes[Key]
      : ResponseType | undefined;
  };
} & {
  readonly [Key in keyof Names]: { readonly requestType?: Names[Key] };
} & {
  readonly [Key in keyof Results]: Agreeing<
    Results[Key],
    Key extends keyof ResponseTypes ? ResponseTypes[Key] : unknown
  >;
};

/** A web stream of any library. */
interface WebStream {
  getReader(): unknown;
  cancel(reason?: unknown): unknown;
}

/** A source of chunks. */
type StreamSource = AsyncIterable<unknown> | Iterator<unknown> | WebStream;

/** What a streaming function may return: nothing if it writes to `stream` of its RequestInfo. */
// biome-ignore lint/suspicious/noConfusingVoidType: what functions without a `return` return
type Streamed = StreamSource | void | null | undefined;

/** The further fields a definition must have so that its result agrees with its responseType. */
type Agreeing<Result, Type> =
  unknown extends Awaited<Result>
    ? unknown
    : Type extends "stream"
      ? [Awaited<Result>] extends [Streamed]
        ? unknown
        : { readonly handler: (...all: never[]) => Streamed | Promise<Streamed> }
      : [Extract<Awaited<Result>, StreamSource>] extends [never]
        ? unknown
        : unknown extends Type
          ? { readonly responseType: "stream" }
          : { readonly handler: (...all: never[]) => 'What returns an iterator needs responseType: "stream"' };

/** The request type of the function with this key. */
export type RequestTypeOf<Key, Names> = Key extends keyof Names ? (Names[Key] extends string ? Names[Key] : Key) : Key;

/** The key, unless the function has another request type. */
export type OwnName<Key, Names> = Key extends keyof Names ? (Names[Key] extends string ? never : Key) : Key;

/** The request type of the function with this key, if it is another than the key. */
export type OtherName<Key, Names> = Key extends keyof Names ? (Names[Key] extends string ? Names[Key] : never) : never;

declare const types: unique symbol;

/**
 * A service with its handlers and the FunConfigs made from them; pass it to `startGenApi({ functions: [service] })`.
 *
 * The type parameters say what `defineService` inferred. `Args`, `Results` and `ResponseTypes` have a property for each
 * function, by its request type: the literal type of its `args`, the return type of its handler, its `responseType`;
 * `unknown` where there is none. `ArgsOf<Args["get_user"]>` is what that handler receives.
 */
export interface Service<Name extends string = string, Args = unknown, Results = unknown, ResponseTypes = unknown>
  extends HandlerHolder {
  /** Its name. */
  readonly service: Name;
  /** The ES module that exports this definition; null when the host names it under `modules`. */
  readonly url: string | null;
  /** The FunConfigs made from its definitions. */
  readonly functions: readonly FunConfigInput[];
  /** Never present: it only carries the types of the functions, for code that infers them. */
  readonly [types]?: { readonly args: Args; readonly results: Results; readonly responseTypes: ResponseTypes };
}
