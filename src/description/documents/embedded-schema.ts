import type { JsonSchema } from "../../arguments/json-schema.ts";
import { isPlainObject } from "../../arguments/json-value.ts";
import { schemaKeywords } from "../../config/schema-faults.ts";

/**
 * A schema as a part of a document: its references to itself become references to its place in the document, since a
 * document is one JSON, whose root `#` is.
 *
 * @param place the schema's place: `#/components/schemas/user`
 */
export function embeddedSchema(schema: JsonSchema, place: string): JsonSchema {
  const { $schema: _, ...rest } = moved(schema, place) as JsonSchema;
  return rest;
}

function moved(schema: unknown, place: string): unknown {
  if (!isPlainObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, movedKeyword(keyword, value, place)]),
  );
}

function movedKeyword(keyword: string, value: unknown, place: string): unknown {
  if (keyword === "$ref") return `${place}${String(value).slice(1)}`;
  if (schemaKeywords.one.has(keyword)) return moved(value, place);
  if (schemaKeywords.list.has(keyword)) return (value as readonly unknown[]).map((part) => moved(part, place));
  if (!schemaKeywords.map.has(keyword)) return value;
  return Object.fromEntries(Object.entries(value as JsonSchema).map(([key, part]) => [key, moved(part, place)]));
}
