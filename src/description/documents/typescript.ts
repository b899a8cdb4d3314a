import type { ArgTypeName } from "../../arguments/declarations.ts";
import type { JsonSchema } from "../../arguments/json-schema.ts";
import type { ArgumentDescription, GatewayDescription } from "../gateway-description.ts";
import { type DescribedFunction, describedFunctions, newName } from "./described-functions.ts";
import { TypeTexts } from "./type-text.ts";
import { commentOf, propertyName, quotedText } from "./typescript-words.ts";

/**
 * A `.d.ts` file that imports nothing: the interface `Api`, for `connect<Api>` of `gen-api/client`, with the latest version of
 * each function.
 */
export function typescriptDeclarations(description: GatewayDescription): string {
  const declarations: string[] = [];
  const taken = new Set(["Api", "CallOptions"]);
  const services = new Map<string, string[]>();
  for (const described of describedFunctions(description)) {
    const lines = services.get(described.service) ?? [];
    services.set(described.service, lines);
    lines.push(functionText(described, taken, declarations));
  }
  const members = Array.from(services, ([service, functions]) => {
    return `  readonly ${propertyName(service)}: {\n${functions.join("")}  };\n`;
  });
  return [
    `// The functions of ${quotedText(description.gateway)}, as \`gen-api describe\` wrote them.\n`,
    callOptions,
    `/** The functions, by service: \`connect<Api>(url)\` of gen-api/client. */\nexport interface Api {\n${members.join("")}}\n`,
    ...declarations.map((declaration) => `${declaration}\n`),
  ].join("\n");
}

function functionText(described: DescribedFunction, taken: Set<string>, declarations: string[]): string {
  const { service, requestType, responseType, description, deprecated } = described;
  const typeOf = (what: string, schema: JsonSchema | null): string => {
    if (schema === null) return "unknown";
    const texts = new TypeTexts(schema, () => newName(typeName(service, requestType, what), taken));
    const text = texts.text("    ");
    declarations.push(...texts.declarations);
    return text;
  };
  const returned = {
    none: () => "Promise<void>",
    stream: () => `AsyncIterable<${typeOf("Chunk", described.chunkSchema)}>`,
    sync: () => `Promise<${typeOf("Result", described.resultSchema)}>`,
    async: () => `Promise<${typeOf("Result", described.resultSchema)}>`,
  };
  const args = argsText(described, typeOf);
  const comment = commentOf(description, deprecated, "    ");
  const signature = `(${args}, options?: CallOptions) => ${returned[responseType]()}`;
  return `${comment}    readonly ${propertyName(requestType)}: ${signature};\n`;
}

function argsText(described: DescribedFunction, typeOf: (what: string, schema: JsonSchema) => string): string {
  const { arguments: declared, argsSchema } = described;
  if (declared !== null && declared.length > 0) {
    const mark = declared.some(({ isRequired }) => isRequired) ? "" : "?";
    return `args${mark}: {\n${declared.map(argumentText).join("")}    }`;
  }
  const { required } = argsSchema;
  const mark = Array.isArray(required) && required.length > 0 ? "" : "?";
  return `args${mark}: ${typeOf("Args", argsSchema)}`;
}

function argumentText({ name, type, isRequired, allowNil }: ArgumentDescription): string {
  const text = `${argTypeTexts[type]}${allowNil ? " | null" : ""}`;
  return `      readonly ${propertyName(name)}${isRequired ? "" : "?"}: ${text}${isRequired ? "" : " | undefined"};\n`;
}

/** What a client may send; dates also as such. */
const argTypeTexts: Readonly<Record<ArgTypeName, string>> = {
  string: "string",
  num: "number",
  boolean: "boolean",
  uuid: "string",
  datetime: "string | Date",
  naive_datetime: "string",
  list: "readonly unknown[]",
  list_string: "readonly string[]",
  list_num: "readonly number[]",
  list_uuid: "readonly string[]",
  list_map: "readonly Readonly<Record<string, unknown>>[]",
  map: "Readonly<Record<string, unknown>>",
  any: "unknown",
};

/** A name for a part of a schema: what it belongs to. */
function typeName(...words: readonly string[]): string {
  const letters = words.flatMap((word) => word.split(/[^A-Za-z0-9]+/)).filter((word) => word !== "");
  const name = letters.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^\d/.test(name) ? `_${name}` : name;
}

const callOptions = `/** The options of one call, as gen-api/client has them. */
export interface CallOptions {
  /** Ends the call when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take in all, milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** The version of the function; the latest by default. */
  readonly version?: string | undefined;
  /** Whether the call may be sent again when its connection is lost; a text is the key of the call. */
  readonly idempotent?: boolean | string | undefined;
  /** Sends the call again when it has failed with \`canRetry\`; not streams. */
  readonly retry?: { readonly attempts: number } | undefined;
  /** For streams: at most so many chunks are under way. */
  readonly window?: number | undefined;
  /** For streams: whether they go on over the next socket when one is lost. */
  readonly resume?: boolean | undefined;
}
`;
