import { clip } from "../arguments/fault.ts";
import { isThenable, settle } from "../core/foreign/thenable.ts";
import { ArgumentsRefused } from "../execution/arguments-refused.ts";
import type { ServiceFunction } from "../execution/load-function.ts";
import { streamSource } from "../execution/stream-source.ts";
import type { StandardIssue, StandardResult, StandardSchema } from "./standard-schema.ts";

/** The schemas of one function. */
export interface HandlerSchemas {
  /** Of its arguments; null: they are declared. */
  readonly args: StandardSchema | null;
  /** Of its result, if it is to be checked. */
  readonly result: StandardSchema | null;
  /** Of the chunks that it returns, if they are to be checked. */
  readonly chunk: StandardSchema | null;
}

const maxIssues = 5;
const maxMessage = 200;

/** The handler behind its schemas: it gets what the schema of its arguments makes of them. */
export function checkedHandler(handler: ServiceFunction, { args, result, chunk }: HandlerSchemas): ServiceFunction {
  if (args === null && result === null && chunk === null) return handler;
  const answered = (returned: unknown): unknown => {
    if (result !== null) return then(returned, (value) => checkedResult(result, value));
    return chunk === null ? returned : then(returned, (source) => checkedChunks(chunk, source));
  };
  if (args === null) return (...all) => answered(handler(...all));
  const check = checkOf(args);
  return (given, ...rest) => then(check(given), (value) => answered(handler(value, ...rest)));
}

/** The check of a function's arguments alone: it returns nothing, or throws what the handler would. */
export function argumentsCheck(args: StandardSchema): ServiceFunction {
  const check = checkOf(args);
  return (given) => then(check(given), () => null);
}

/** What a schema makes of the arguments. */
function checkOf(schema: StandardSchema): (given: unknown) => unknown {
  return (given) =>
    then(schema["~standard"].validate(given), (checked) => {
      const outcome = checked as StandardResult<unknown>;
      if (outcome.issues === undefined) return outcome.value;
      const { issues } = outcome;
      const all = issues.slice(0, maxIssues).map(argumentText);
      const more = issues.length > maxIssues ? [`and ${issues.length - maxIssues} more`] : [];
      throw new ArgumentsRefused([...all, ...more].join("; "));
    });
}

function argumentText({ message, path = [] }: StandardIssue): string {
  const where = path.length === 0 ? "Arguments" : `Argument ${JSON.stringify(pathText(path))}`;
  return `${where}: ${String(message).slice(0, maxMessage)}`;
}

/** `list[3].name`, of a path whose keys may be a client's. */
function pathText(path: NonNullable<StandardIssue["path"]>): string {
  return path.reduce<string>((text, part) => {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? clip(String(key)) : `${text}.${clip(String(key))}`;
  }, "");
}

/** A result as it is, whatever the schema makes of it: a check changes nothing. */
function checkedResult(schema: StandardSchema, value: unknown): unknown {
  return then(schema["~standard"].validate(value), (checked) => {
    const { issues } = checked as StandardResult<unknown>;
    if (issues === undefined) return value;
    const texts = issues.slice(0, maxIssues).map(({ message, path = [] }) => `${pathText(path) || "it"}: ${message}`);
    throw new TypeError(`The function's answer does not match its schema: ${texts.join("; ")}`);
  });
}

/** The chunks of a source, each checked. A source that is none of the known kinds is left to fail as it would. */
function checkedChunks(schema: StandardSchema, returned: unknown): unknown {
  // An error after its end is nobody's: the stream has its answer.
  const source = streamSource(returned, () => undefined);
  if (source === null) return returned;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () =>
      then(source.next(), (next) => {
        const { done, value } = next as IteratorResult<unknown>;
        return done === true ? next : then(checkedResult(schema, value), () => next);
      }),
    return: () => then(source.stop(), () => ({ done: true, value: undefined })),
  };
}

/** Goes on with a value, at once unless it has to be awaited: a check that waits for nothing costs no promise. */
function then(value: unknown, next: (value: unknown) => unknown): unknown {
  if (!isThenable(value)) return next(value);
  return new Promise((resolve, reject) => settle(value, (came) => resolve(next(came)), reject));
}
