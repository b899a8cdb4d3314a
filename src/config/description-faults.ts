import type { FunConfigInput } from "./fun-config-input.ts";
import { schemaFaults } from "./schema-faults.ts";

/** The most bytes of a description, and of what is said about a deprecation. */
export const maxDescriptionBytes = 1_024;

const schemaFields = ["argsSchema", "resultSchema", "chunkSchema"] as const;

/** The faults in what a FunConfig says about its function, whatever it is; each begins with its field. */
export function descriptionFaults(config: unknown): string[] {
  const fields = Object(config) as Partial<FunConfigInput>;
  const { responseType = "sync", resultSchema, chunkSchema } = fields;
  const faults = schemaFields.flatMap((field) => {
    const schema = fields[field];
    return schema === undefined || schema === null ? [] : schemaFaults(schema, field);
  });
  const isStream = responseType === "stream";
  if (isGiven(resultSchema) && (isStream || responseType === "none")) {
    faults.push(`resultSchema must be left out of a function that answers with ${isStream ? "chunks" : "no result"}`);
  }
  if (isGiven(chunkSchema) && !isStream) {
    faults.push('chunkSchema must be left out of a function whose responseType is not "stream"');
  }
  return faults;
}

function isGiven(schema: unknown): boolean {
  return schema !== undefined && schema !== null;
}
