import type { ArgOptions, ArgTypeName, SentValues } from "../arguments/arg-types.ts";
import type { Service } from "../config/service-types.ts";
import type { InputOf, StandardSchema } from "../config/standard-schema.ts";
import type { CallOptions } from "./options.ts";
import type { ServiceCall } from "./service-call.ts";

type Sent<Name extends ArgTypeName> = Name extends "datetime" ? string | Date : SentValues[Name];

// As in the types of services: a pattern must match all of ArgOptions.
type SentAs<Type> = Type extends ArgTypeName
  ? Sent<Type>
  : Type extends ArgOptions & { readonly allowNil?: false | undefined }
    ? Sent<Type["type"]>
    : Type extends ArgOptions
      ? Sent<Type["type"]> | null
      : never;

/** The names of the arguments that may be left out. */
type OptionalIn<Args> = {
  [Name in keyof Args]: Args[Name] extends
    | (ArgOptions & { readonly allowNil: true })
    | (ArgOptions & { readonly defaultValue: unknown })
    ? Name
    : never;
}[keyof Args];

type Flat<Type> = { [Key in keyof Type]: Type[Key] };

/** What a client may send for these argument types: dates also as ISO text. For a schema, what it takes. */
export type SentArgs<Args> = unknown extends Args
  ? { readonly [Name in string]: never }
  : Args extends StandardSchema
    ? InputOf<Args>
    : Flat<
        { readonly [Name in Exclude<keyof Args, OptionalIn<Args>>]: SentAs<Args[Name]> } & {
          readonly [Name in OptionalIn<Args>]?: SentAs<Args[Name]> | undefined;
        }
      >;

/** What JSON makes of a value: a Date arrives as ISO text, undefined as null. */
export type Received<Type> = unknown extends Type
  ? Type
  : Type extends string | number | boolean | null
    ? Type
    : // biome-ignore lint/suspicious/noConfusingVoidType: what functions without a `return` return
      Type extends undefined | void
      ? null
      : Type extends { toJSON(...all: never[]): infer Json }
        ? Received<Json>
        : Type extends readonly unknown[]
          ? { [Key in keyof Type]: Received<Type[Key]> }
          : { [Key in keyof Type]: ReceivedField<Type[Key]> };

/** JSON leaves out the fields that it cannot hold. */
type ReceivedField<Type> = unknown extends Type
  ? Type
  : Type extends undefined | symbol | ((...all: never[]) => unknown)
    ? undefined
    : Received<Type>;

/** The chunks of what a streaming function returns; unknown if it writes them itself. */
type ChunkOf<Source> =
  Source extends AsyncIterable<infer Chunk>
    ? Chunk
    : Source extends Iterable<infer Chunk> | Iterator<infer Chunk>
      ? Awaited<Chunk>
      : Source extends { getReader(): { read(): Promise<infer Read> } }
        ? Extract<Read, { done: false }> extends { value: infer Chunk }
          ? Chunk
          : unknown
        : unknown;

type Parameters<Args> =
  Record<never, never> extends SentArgs<Args>
    ? [args?: SentArgs<Args>, options?: CallOptions]
    : [args: SentArgs<Args>, options?: CallOptions];

/** What a call returns: a result, nothing, or chunks. */
type Returned<Result, ResponseType> = unknown extends ResponseType
  ? Promise<Received<Awaited<Result>>>
  : [ResponseType] extends ["stream"]
    ? AsyncIterable<Received<ChunkOf<Awaited<Result>>>>
    : [ResponseType] extends ["none"]
      ? Promise<void>
      : [ResponseType] extends ["sync" | "async" | undefined]
        ? Promise<Received<Awaited<Result>>>
        : ServiceCall;

// Homomorphic, so that "Go to definition" on a call reaches its handler.
type Functions<Args, Results, ResponseTypes> = {
  readonly [Key in keyof Results]: (
    ...all: Parameters<Key extends keyof Args ? Args[Key] : unknown>
  ) => Returned<Results[Key], Key extends keyof ResponseTypes ? ResponseTypes[Key] : unknown>;
};

type ApiOf<One> =
  One extends Service<infer Name, infer Args, infer Results, infer ResponseTypes>
    ? { readonly [Key in Name]: Functions<Args, Results, ResponseTypes> }
    : never;

/** Calls of functions that no types tell. */
interface UntypedApi {
  readonly [service: string]: {
    readonly [requestType: string]: (args?: object, options?: CallOptions) => ServiceCall;
  };
}

/**
 * The functions of services, as a client calls them: `api.SERVICE.REQUEST_TYPE(args, options)`. An interface of functions,
 * such as the one that `gen-api describe --format typescript` writes, is what it says.
 */
export type Api<Services extends object> = Services extends readonly unknown[]
  ? number extends Services["length"]
    ? UntypedApi
    : Services extends readonly [infer First, ...infer Rest]
      ? ApiOf<First> & (Rest extends readonly [] ? unknown : Api<Rest>)
      : unknown
  : Services;
