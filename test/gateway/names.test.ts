import { startGenApi } from "gen-api";
import { metrics } from "gen-api/metrics";
import { expect, test } from "vitest";

test("gateways of one process share a name only where no metrics or traces tell them apart by it", async () => {
  await using _first = await startGenApi({ name: "one" });
  await using _second = await startGenApi({ name: "one" });
  await expect(startGenApi({ name: "one", metrics: metrics() })).rejects.toMatchObject({ code: "invalid_option" });
  await using observed = await startGenApi({ name: "two", metrics: metrics() });
  await expect(startGenApi({ name: "two" })).rejects.toMatchObject({ code: "invalid_option" });
  await observed.stop();
  await using _again = await startGenApi({ name: "two" });
});
