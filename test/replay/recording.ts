import { readFileSync } from "node:fs";
import type { Frame } from "../support/network/raw-client.ts";

/** A case as PhoenixGenApi answered it. */
export interface Recorded {
  readonly name: string;
  readonly topic: string;
  readonly params: Readonly<Record<string, string>>;
  /** Frames, and strings that are sent as they stand. */
  readonly sent: readonly (Frame | string)[];
  readonly received: readonly Frame[];
  readonly closed: readonly { readonly code: number }[];
}

const file = new URL("../fixtures/replay/recording.json", import.meta.url);

/** Every recorded case. */
export const recording = JSON.parse(readFileSync(file, "utf8"), restoreCut) as readonly Recorded[];

/** A long frame was cut after a run of one letter, which is as long again as it has to be. */
function restoreCut(_key: string, value: unknown): unknown {
  const cut = typeof value === "string" ? /^(.*)\.\.\.\((\d+) chars\)$/.exec(value) : null;
  if (cut === null) return value;
  const [, start = "", length] = cut;
  const end = '"}}]';
  return start.padEnd(Number(length) - end.length, start.at(-1)) + end;
}
