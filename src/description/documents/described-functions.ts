import { createHash } from "node:crypto";
import type { FunctionDescription, GatewayDescription } from "../gateway-description.ts";

/** A function in a document: its latest version, under a name that no other function has. */
export interface DescribedFunction extends FunctionDescription {
  readonly service: string;
  /** Of letters, digits and `._-`: the keys of components allow nothing else. */
  readonly name: string;
  /** Every version that may be asked for. */
  readonly versions: readonly string[];
}

/** The functions that a request without a version may call. */
export function describedFunctions({ services }: GatewayDescription): DescribedFunction[] {
  const names = new Set<string>();
  return services.flatMap(({ service, functions }) =>
    functions
      .filter(({ isLatest }) => isLatest)
      .map((described) => ({
        ...described,
        service,
        name: newName(`${keyOf(service)}.${keyOf(described.requestType)}`, names),
        versions: functions.flatMap(({ requestType, version, disabled }) =>
          requestType === described.requestType && version !== null && !disabled ? [version] : [],
        ),
      })),
  );
}

/** A key that says what a name says, and is not among `taken`, to which it is added. */
export function newName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`;
  taken.add(name);
  return name;
}

/** A name as a key of components. */
export function keyOf(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, (character) => `_${character.charCodeAt(0).toString(16)}`);
}

/** A version for a document, which changes whenever what it says changes. */
export function versionOf(functions: readonly DescribedFunction[]): string {
  return createHash("sha256").update(JSON.stringify(functions)).digest("hex").slice(0, 12);
}

/** What is said about a function: what it does, and what to do instead. */
export function wordsOf({ description, deprecated }: FunctionDescription): string | undefined {
  const instead = typeof deprecated === "string" ? `Deprecated: ${deprecated}` : null;
  return [description, instead].filter((text) => text !== null).join("\n\n") || undefined;
}
