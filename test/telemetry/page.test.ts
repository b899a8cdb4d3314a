import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { eventNames } from "../../src/telemetry/event-names.ts";
import { levelsOf } from "../../src/telemetry/log/log-lines.ts";
import { type DeclaredEvent, declaredEvents } from "./declared-events.ts";

const page = readFileSync(new URL("../../docs/telemetry.md", import.meta.url), "utf8");
const declared = declaredEvents();

/** The cells of every line of the page's tables whose first cell looks like this. */
function rows(first: RegExp, text = page): string[][] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.slice(2, -2).split(" | "))
    .filter(([cell = ""]) => first.test(cell));
}

const codes = (cell = "") => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
const groups = new Map(rows(/^\*\w+\*$/).map(([group = "", fields]) => [group.slice(1, -1), codes(fields)]));

function fieldsIn(cell = ""): string[] {
  const grouped = [...cell.matchAll(/\*(\w+)\*/g)].flatMap(([, group = ""]) => groups.get(group) ?? [`no ${group}`]);
  return [...grouped, ...codes(cell)];
}

const documented = rows(/^`[a-z_]+\.[a-z_.]+`$/).map(([name = "", when, measurements, metadata, log]) => ({
  name: name.slice(1, -1),
  when,
  measurements: codes(measurements),
  metadata: fieldsIn(metadata),
  levels: log?.split(", "),
}));

const shape = ({ name, measurements, metadata }: DeclaredEvent) => ({
  name,
  measurements: measurements.toSorted(),
  metadata: metadata.toSorted(),
});
const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

describe("docs/telemetry.md", () => {
  test("has every event once, with its measurements and its metadata, and nothing else", () => {
    expect(declared.length).toBeGreaterThan(60);
    expect(documented.map(shape).toSorted(byName)).toEqual(declared.map(shape).toSorted(byName));
  });

  test("says when each comes, and at which levels it is logged", () => {
    for (const { when } of documented) expect(when?.length).toBeGreaterThan(5);
    const levels = documented.map(({ name, levels }) => ({ name, levels }));
    const expected = eventNames.map((name) => ({ name, levels: levelsOf(name) }));
    expect(levels.toSorted(byName)).toEqual(expected.toSorted(byName));
  });

  test("explains every field, and no other", () => {
    const explained = rows(/^`[a-z_]+`$/, page.split("### Fields")[1]).map(([name = ""]) => name.slice(1, -1));
    const fields = declared.flatMap(({ measurements, metadata }) => [...measurements, ...metadata]);
    expect(explained.toSorted()).toEqual([...new Set(fields)].toSorted());
  });
});

test("the list of events at run time is the list of types", () => {
  expect([...eventNames].toSorted()).toEqual(declared.map(({ name }) => name).toSorted());
});

test("no field is one of a log record's own, and measurements and metadata share none", () => {
  const own = ["event", "level", "time", "pid", "hostname", "msg"];
  for (const { name, measurements, metadata } of declared) {
    const fields = [...measurements, ...metadata];
    expect(new Set(fields).size, name).toBe(fields.length);
    expect(
      fields.filter((field) => own.includes(field)),
      name,
    ).toEqual([]);
  }
});
