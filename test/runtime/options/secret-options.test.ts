import { inspect } from "node:util";
import { type GatewayOptions, startGenApi } from "gen-api";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { expect, test } from "vitest";

const token = "a-token-for-tests-only";
const listen = "127.0.0.1:0";

const wrong: [path: string, options: unknown][] = [
  ["admin", { admin: "S3CRET" }],
  ["admin.token", { admin: { listen, token: "S3CRET" } }],
  ["admin.token", { admin: { listen, token: ["S3CRET"] } }],
  // The two in each other's place.
  ["admin.listen", { admin: { listen: "S3CRET", token: "127.0.0.1:4001" } }],
  ["admin.listen", { admin: { listen: "http://u:S3CRET@127.0.0.1:4001", token } }],
  ["admin.listen", { admin: { listen: { host: "u:S3CRET@10.0.0.5", port: 0 }, token } }],
  ["admin.listen", { admin: { listen: { port: 0, password: "S3CRET" }, token } }],
  ["admin has unknown keys", { admin: { listen, token, tokken: "S3CRET" } }],
  ["pushToken", { pushToken: ["S3CRET", 5] }],
  ["cluster", { cluster: "nats://u:S3CRET@127.0.0.1" }],
  ["cluster.servers", { cluster: nats({ servers: "nats://127.0.0.1:4222/?x=S3CRET" }) }],
  ["cluster.servers", { cluster: nats({ servers: "nats://u:S3CRET@127.0.0.1" }) }],
  ["cluster.tls", { cluster: nats({ tls: "S3CRET" as never }) }],
  ["cluster.listen.tls", { cluster: link({ listen: { port: 0, tls: "S3CRET" as never } }) }],
];

test.each(wrong)("what is wrong with %s is told without what may be a secret", async (path, options) => {
  const error = await startGenApi(options as GatewayOptions).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ code: "invalid_option", message: expect.stringContaining(path) });
  expect(inspect(error, { depth: 10 })).not.toContain("S3CRET");
});
