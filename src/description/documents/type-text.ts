import type { JsonSchema } from "../../arguments/json-schema.ts";
import { isPlainObject } from "../../arguments/json-value.ts";
import { resolvePointer } from "../../config/schema-faults.ts";
import { commentOf, literal, propertyName } from "./typescript-words.ts";

// A chain of references as long as a schema may be would not fit on the stack.
const maxReferences = 100;

/** TypeScript's types of the values that one JSON Schema accepts. */
export class TypeTexts {
  readonly #root: JsonSchema;
  readonly #nameOf: () => string;
  /** The names of the parts that are referred to, by their pointers. */
  readonly #names = new Map<string, string>();
  /** The part that is being declared, if no list or map is in between. */
  #declared: string | null = null;
  /** Which parts are declared by which others, with no list or map in between: no type may go round in a circle. */
  readonly #direct = new Map<string, Set<string>>();
  /** How many parts are being declared, each for the one before. */
  #depth = 0;
  /** The declarations of these parts. */
  readonly declarations: string[] = [];

  /** @param nameOf makes a name for a part of the schema that others refer to */
  constructor(root: JsonSchema, nameOf: () => string) {
    this.#root = root;
    this.#nameOf = nameOf;
  }

  /** The type of the schema itself. @param indent what the lines after the first begin with */
  text(indent = ""): string {
    return this.#text(this.#root, indent);
  }

  #text(schema: unknown, indent: string): string {
    if (schema === false) return "never";
    if (!isPlainObject(schema)) return "unknown";
    const parts = [
      ...(typeof schema.$ref === "string" ? [this.#reference(schema.$ref)] : []),
      ...this.#own(schema, indent),
      ...["anyOf", "oneOf"].flatMap((keyword) => {
        const some = schema[keyword];
        return Array.isArray(some) ? [union(some.map((part) => this.#text(part, indent)))] : [];
      }),
      ...(Array.isArray(schema.allOf) ? schema.allOf.map((part) => this.#text(part, indent)) : []),
    ].filter((part) => part !== "unknown");
    const [first = "unknown", ...more] = [...new Set(parts)];
    return more.length === 0 ? first : [first, ...more].map(bracketed).join(" & ");
  }

  #reference(ref: string): string {
    if (this.#depth === maxReferences) return "unknown";
    const around = this.#declared;
    if (around !== null) {
      if (this.#reaches(ref, around)) return "unknown";
      this.#direct.set(around, (this.#direct.get(around) ?? new Set()).add(ref));
    }
    const known = this.#names.get(ref);
    if (known !== undefined) return known;
    const name = this.#nameOf();
    this.#names.set(ref, name);
    this.#declared = ref;
    this.#depth++;
    this.declarations.push(`type ${name} = ${this.#text(resolvePointer(this.#root, ref), "")};`);
    this.#depth--;
    this.#declared = around;
    return name;
  }

  /** What a schema says by itself, without the schemas that it combines. */
  #own(schema: JsonSchema, indent: string): string[] {
    if ("const" in schema) return [literal(schema.const)];
    if (Array.isArray(schema.enum)) return [union(schema.enum.map(literal))];
    const types = Array.isArray(schema.type)
      ? schema.type
      : schema.type === undefined
        ? impliedTypes(schema)
        : [schema.type];
    return types.length === 0 ? [] : [union(types.map((type) => this.#typeText(type, schema, indent)))];
  }

  #typeText(type: unknown, schema: JsonSchema, indent: string): string {
    switch (type) {
      case "string":
      case "boolean":
      case "null":
      case "number":
        return type;
      case "integer":
        return "number";
      case "array":
        return this.#within(() => this.#list(schema, indent));
      case "object":
        return this.#within(() => this.#map(schema, indent));
      default:
        return "unknown";
    }
  }

  #reaches(from: string, to: string, seen = new Set<string>()): boolean {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...(this.#direct.get(from) ?? [])].some((next) => this.#reaches(next, to, seen));
  }

  #within(make: () => string): string {
    const around = this.#declared;
    this.#declared = null;
    const text = make();
    this.#declared = around;
    return text;
  }

  #list({ items = true, prefixItems, minItems = 0 }: JsonSchema, indent: string): string {
    const rest = `${bracketed(this.#text(items, indent))}[]`;
    if (!Array.isArray(prefixItems)) return items === false ? "[]" : rest;
    const first = prefixItems.map((part, at) => {
      return `${bracketed(this.#text(part, indent))}${at < Number(minItems) ? "" : "?"}`;
    });
    return `[${[...first, ...(items === false ? [] : [`...${rest}`])].join(", ")}]`;
  }

  #map(schema: JsonSchema, indent: string): string {
    const { properties, additionalProperties, required } = schema;
    const known = isPlainObject(properties) ? Object.entries(properties) : [];
    const mustBe = new Set<unknown>(Array.isArray(required) ? required : []);
    if (known.length === 0) {
      if (additionalProperties === false) return "Record<string, never>";
      // No Record, of which an alias could not be a part.
      return `{ [name: string]: ${this.#text(additionalProperties ?? true, indent)} }`;
    }
    const inner = `${indent}  `;
    const lines = known.map(([name, part]) => {
      const comment = isPlainObject(part) ? commentOf(part.description, part.deprecated, inner) : "";
      const mark = mustBe.has(name) ? "" : "?";
      return `${comment}${inner}${propertyName(name)}${mark}: ${this.#text(part, inner)};\n`;
    });
    const others = isPlainObject(additionalProperties) ? `${inner}[name: string]: unknown;\n` : "";
    return `{\n${lines.join("")}${others}${indent}}`;
  }
}

/** The types that a schema without `type` speaks of, if of any. */
function impliedTypes(schema: JsonSchema): string[] {
  if ("properties" in schema) return ["object"];
  return "items" in schema || "prefixItems" in schema ? ["array"] : [];
}

function union(parts: readonly string[]): string {
  const distinct = [...new Set(parts)];
  if (distinct.length === 0) return "never";
  if (distinct.includes("unknown")) return "unknown";
  return distinct.map((part) => (part.includes(" & ") ? bracketed(part) : part)).join(" | ");
}

/** In brackets, if something else could take only a piece of it. */
function bracketed(text: string): string {
  return /^[\w.]+(\[\])*$/.test(text) || /^\{[^{}]*\}$/.test(text) ? text : `(${text})`;
}
