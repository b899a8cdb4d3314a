// Everything that a function of the user's may do with a hostile value: each row of the four tables, thrown, rejected
// with, returned or resolved with.
import { nestedPromises } from "./nested-promises.js";
import { results } from "./results.js";
import { thenables } from "./thenables.js";
import { thrownValues } from "./thrown-values.js";

const acts = {
  throws(make) {
    throw make();
  },
  rejects: (make) => Promise.reject(make()),
  returns: (make) => make(),
  resolves: async (make) => make(),
};

/** @type {readonly { readonly name: string, readonly run: () => unknown }[]} */
export const behaviours = [
  ...rows(thrownValues, ["throws", "rejects", "returns"]),
  ...rows(thenables, ["returns"]),
  ...rows(results, ["returns", "resolves"]),
  ...rows(nestedPromises, ["throws", "rejects", "returns", "resolves"]),
];

function rows(table, ways) {
  return table.flatMap(([name, make]) =>
    ways.map((way) => ({ name: `${way} ${name}`, run: () => acts[way](() => make(7)) })),
  );
}
