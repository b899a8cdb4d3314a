import { type GenApiError, libraryError } from "../core/errors.ts";
import type { ArgOrders, ArgTypes, CheckedArgOptions, SchemaArguments } from "./arg-types.ts";
import { checkArgumentDeclarations } from "./declarations.ts";
import { clip, Fault, quoted } from "./fault.ts";
import { beginChecks } from "./json-value.ts";
import { type Reader, readerOf } from "./readers.ts";

/**
 * Validates a request's `args`: returns the list of arguments for the function, or the `invalid_argument` error that
 * refuses the request. Never throws, and changes nothing in `args`; lists and maps are passed on, not copied.
 */
export type CompiledArguments = (args: Readonly<Record<string, unknown>>) => unknown[] | GenApiError;

/** One argument, ready to be read. */
interface CompiledArgument {
  readonly name: string;
  readonly read: Reader;
  /** The value for a missing argument, or undefined if it is required. */
  readonly whenMissing: (() => unknown) | undefined;
}

/** The options of {@link compileArguments}. */
export interface CompileOptions {
  /**
   * The number of calls after which code is generated for the function, which about halves the time: 0 at once,
   * Infinity never. Rarely called functions do without that code, which takes four times as long to register and
   * several kilobytes.
   * @default 100; Infinity if Node runs with `--disallow-code-generation-from-strings`
   */
  readonly generateAfter?: number;
}

/**
 * Compiles a FunConfig's declarations to a function that validates its requests' arguments. Without `argTypes` a
 * function takes no arguments and everything a client sends is ignored; so too with an empty map of them, which with
 * "map" passes an empty object. With "schema" the function gets what was sent, if it is a map within the limits of one.
 *
 * @param argOrders names in the function's order, or "map" to pass one plain object. @default the order of `argTypes`
 * @throws GenApiError `invalid_config` with every fault that {@link checkArgumentDeclarations} finds
 */
export function compileArguments(
  argTypes: ArgTypes | SchemaArguments | null | undefined,
  argOrders: ArgOrders | null | undefined,
  options: CompileOptions = {},
): CompiledArguments {
  const faults = checkArgumentDeclarations(argTypes, argOrders);
  if (faults.length > 0) throw libraryError("invalid_config", faults.join("; "));
  if (argTypes === null || argTypes === undefined) return () => [];
  if (argTypes === "schema") return readOfSchema;
  const inOrder = Array.isArray(argOrders) && argOrders.length > 0 ? argOrders : Object.keys(argTypes);
  if (inOrder.length === 0) return argOrders === "map" ? () => [{}] : () => [];
  const compiled = inOrder.map((name) => compileArgument(name, argTypes[name]!));
  const asMap = argOrders === "map";
  const generateAfter = compiled.length <= mostGenerated ? (options.generateAfter ?? defaultGenerateAfter) : Infinity;
  const validate = generatedOnceHot(compiled, asMap, generateAfter);
  return (args) => {
    beginChecks();
    return validate(args);
  };
}

function generatedOnceHot(
  declared: readonly CompiledArgument[],
  asMap: boolean,
  generateAfter: number,
): CompiledArguments {
  if (generateAfter === 0) return generated(declared, asMap);
  let validate = interpreted(declared, asMap);
  if (generateAfter === Infinity) return validate;
  let calls = 0;
  return (args) => {
    if (calls < generateAfter && ++calls === generateAfter) validate = generated(declared, asMap);
    return validate(args);
  };
}

function compileArgument(name: string, declaration: ArgTypes[string]): CompiledArgument {
  const options: CheckedArgOptions = typeof declaration === "string" ? { type: declaration } : declaration;
  const read = readerOf(options);
  return { name, read, whenMissing: whenMissing(options, read) };
}

function whenMissing({ defaultValue, allowNil }: CheckedArgOptions, read: Reader): (() => unknown) | undefined {
  if (defaultValue === undefined) return allowNil === true ? () => null : undefined;
  // Read and copied each time: a function that changes its argument must not affect the next call.
  if (typeof defaultValue === "object") return () => read(structuredClone(defaultValue));
  return () => read(defaultValue);
}

const readMap = readerOf({ type: "map" });

/** What every `map` has to be, if the function's own schema decides the rest. */
function readOfSchema(args: Readonly<Record<string, unknown>>): unknown[] | GenApiError {
  beginChecks();
  const read = readMap(args);
  if (!(read instanceof Fault)) return [args];
  const where = read.path === "" ? "Arguments" : `Argument ${JSON.stringify(read.path.slice(1))}`;
  return refusal(`${where}: expected ${read.expected}, got ${read.came}`);
}

/** The plain form: a loop over the arguments. */
function interpreted(declared: readonly CompiledArgument[], asMap: boolean): CompiledArguments {
  return (args) => {
    const values: unknown[] = [];
    let found = 0;
    for (const { name, read, whenMissing } of declared) {
      let value = own(args, name);
      if (value === undefined) {
        if (whenMissing === undefined) return refuse(name, read(undefined) as Fault);
        value = whenMissing();
      } else {
        found++;
        value = read(value);
        if (value instanceof Fault) return refuse(name, value);
      }
      values.push(value);
    }
    if (hasMore(args, found)) {
      const error = refuseUnknown(args, declared);
      if (error !== null) return error;
    }
    return asMap ? [Object.fromEntries(declared.map(({ name }, index) => [name, values[index]]))] : values;
  };
}

// Beyond this many arguments the generated function would be too long to be worth its memory.
const mostGenerated = 64;

const defaultGenerateAfter = codeGenerationAllowed() ? 100 : Infinity;

function codeGenerationAllowed(): boolean {
  try {
    return new Function("return true")() === true;
  } catch (thrown) {
    // The error that V8 throws under --disallow-code-generation-from-strings.
    if (thrown instanceof EvalError) return false;
    throw thrown;
  }
}

/**
 * The same as {@link interpreted}, unrolled, so that every property has its own access, which V8 answers from its
 * inline cache. Only the names of the declarations enter the code, as JSON strings, which are JavaScript string
 * literals (ECMAScript 2019); everything else is passed in.
 */
function generated(declared: readonly CompiledArgument[], asMap: boolean): CompiledArguments {
  const names = declared.map(({ name }) => JSON.stringify(name));
  const reads = declared.map(({ name }, index) => {
    const literal = names[index];
    // A name on Object.prototype, such as toString, would be found in every object.
    const access = name in Object.prototype ? `own(args, ${literal})` : `args[${literal}]`;
    return `
      let v${index} = ${access};
      if (v${index} === undefined) {
        if (missing${index} === undefined) return refuse(${literal}, read${index}(undefined));
        v${index} = missing${index}();
      } else {
        found++;
        v${index} = read${index}(v${index});
        if (v${index} instanceof Fault) return refuse(${literal}, v${index});
      }`;
  });
  const result = asMap ? `{ ${names.map((name, index) => `${name}: v${index}`).join(", ")} }` : indexed("v", declared);
  const code = `return function validateArguments(args) {
      let found = 0;
      ${reads.join("")}
      if (hasMore(args, found)) {
        const error = refuseUnknown(args, declared);
        if (error !== null) return error;
      }
      return [${result}];
    }`;
  const context = { Fault, own, refuse, hasMore, refuseUnknown, declared };
  const make = new Function(
    ...Object.keys(context),
    `[${indexed("read", declared)}]`,
    `[${indexed("missing", declared)}]`,
    code,
  );
  return make(
    ...Object.values(context),
    declared.map(({ read }) => read),
    declared.map(({ whenMissing }) => whenMissing),
  );
}

function indexed(variable: string, declared: readonly CompiledArgument[]): string {
  return declared.map((_, index) => `${variable}${index}`).join(", ");
}

function own(args: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(args, name) ? args[name] : undefined;
}

/** Whether `args` has more keys than the arguments found in it. */
function hasMore(args: Readonly<Record<string, unknown>>, found: number): boolean {
  let keys = 0;
  for (const _ in args) if (++keys > found) return true;
  return false;
}

function refuseUnknown(
  args: Readonly<Record<string, unknown>>,
  declared: readonly CompiledArgument[],
): GenApiError | null {
  const names = declared.map(({ name }) => name);
  // A host program may pass undefined, which JSON cannot: it counts as missing.
  const unknown = Object.keys(args).find((key) => args[key] !== undefined && !names.includes(key));
  if (unknown === undefined) return null;
  return refuse(unknown, new Fault(`no other arguments than ${quoted(names)}`, "another"));
}

function refuse(name: string, fault: Fault): GenApiError {
  const where = JSON.stringify(`${clip(name)}${fault.path}`);
  return refusal(`Argument ${where}: expected ${fault.expected}, got ${fault.came}`);
}

function refusal(message: string): GenApiError {
  // A stack trace would not help with a client's mistake, and capturing it costs ten times the refusal.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return libraryError("invalid_argument", message);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
