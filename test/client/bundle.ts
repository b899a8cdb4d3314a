import { build, type Rolldown } from "vite";

const root = new URL("../..", import.meta.url).pathname;

/**
 * Bundles a module for browsers, minified.
 * @param external what stays outside
 */
export async function bundle(entry: string, external: readonly string[] = []): Promise<string> {
  const { output } = (await build({
    root,
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      minify: true,
      target: "es2022",
      modulePreload: { polyfill: false },
      rolldownOptions: {
        input: entry,
        external: [...external],
        preserveEntrySignatures: "strict",
        output: { format: "es", codeSplitting: false },
      },
    },
  })) as Rolldown.RolldownOutput;
  const [chunk] = output;
  return chunk.code;
}
