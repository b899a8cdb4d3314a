import { expect, test } from "vitest";
import { farewells, isFarewell } from "../../src/node/farewell.ts";
import { levelOf } from "../../src/telemetry/log/log-lines.ts";

const down = (reason: string, calls_lost: number) =>
  levelOf({
    event: "node.down",
    measurements: { duration_us: 1, calls_lost },
    metadata: { gateway: "g", node: "n", reason, orderly: isFarewell(reason) },
  });

test("the end of a session that one of the two announced is nothing to warn of, whichever end reports it", () => {
  for (const farewell of Object.values(farewells)) {
    expect(down(farewell, 0), farewell).toBe("info");
    expect(down(`the other end closed: ${farewell}`, 0), farewell).toBe("info");
  }
});

test("the end of a session that nobody announced, or that cost calls, is", () => {
  for (const reason of ["the other end hung up", "the connection was lost", "nothing was received for 3000 ms"]) {
    expect(down(reason, 0), reason).toBe("warn");
  }
  expect(down(farewells.gateway, 1)).toBe("warn");
});
