/** A name as a property of a type. */
export function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quotedText(name);
}

/** A value of a schema as a type; a list or map, whose type would be long, as any. */
export function literal(value: unknown): string {
  if (typeof value === "string") return quotedText(value);
  // TypeScript has no literal types of numbers that it would write otherwise.
  if (typeof value === "number") return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : "number";
  return typeof value === "object" && value !== null ? "unknown" : String(value);
}

/** A text in quotes, in which nothing ends a line or changes the direction of what follows. */
export function quotedText(text: string): string {
  return JSON.stringify(text).replace(
    unseen,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * The comment above a declaration, with its line end; empty where there is nothing to say.
 * @param deprecated true, or what to do instead
 */
export function commentOf(description: unknown, deprecated: unknown, indent: string): string {
  const lines = typeof description === "string" && description.trim() !== "" ? linesOf(description) : [];
  if (deprecated === true) lines.push("@deprecated");
  if (typeof deprecated === "string") lines.push(...linesOf(`@deprecated ${deprecated}`));
  if (lines.length === 0) return "";
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** A text, which may come from anybody, as lines of a comment that it cannot end. */
function linesOf(text: string): string[] {
  return text
    .trim()
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => line.replaceAll("*/", "*\\/").replace(unseen, " "));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not pass
const unseen = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
