/** A TypeScript block of a page, whose first line names its file. */
export interface TypeScriptBlock {
  readonly name: string;
  readonly code: string;
}

/** Those of a page. */
export function typescriptBlocks(page: string): readonly TypeScriptBlock[] {
  const blocks = page.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g);
  return Array.from(blocks, ([, name = "", code = ""]) => ({ name, code }));
}
