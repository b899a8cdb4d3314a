// @ts-check
import { defineService, GenApiError } from "gen-api";

const prices = new Map([
  ["apple", 2],
  ["pear", 3],
]);

/** Functions of a service node: nothing here says where they run. */
export default defineService("orders", import.meta.url, {
  price: {
    args: { item: "string", count: "num" },
    handler: ({ item, count }) => {
      const price = prices.get(item);
      if (price === undefined) throw new GenApiError("unknown_item", `There is no ${item}`);
      return { total: price * count, process: process.pid };
    },
  },
  countdown: {
    args: { from: "num" },
    responseType: "stream",
    handler: async function* ({ from }) {
      for (let left = from; left > 0; left--) yield left;
    },
  },
});
