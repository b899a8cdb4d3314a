// The gateway that hostile.bench and fairness.bench attack, with all options at their defaults.
import { setTimeout as sleep } from "node:timers/promises";
import { startGenApi } from "gen-api";
import { reportTo } from "../measured-process.js";
import { hostile } from "./hostile-service.js";

const gateway = await startGenApi({
  listen: { host: "127.0.0.1", port: 0 },
  channels: [
    { topic: "api:*", event: "api" },
    {
      topic: "slow:*",
      event: "api",
      join: async () => {
        await sleep(3_000);
        return {};
      },
    },
  ],
  functions: [hostile],
});
reportTo(gateway.address?.port);
