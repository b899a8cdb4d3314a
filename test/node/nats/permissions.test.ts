import { readFileSync } from "node:fs";
import { connect, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gatewayPermissions, nats, nodePermissions } from "../../../src/node/nats/nats.ts";
import { EntrySigner, entryKey } from "../../../src/node/pushes/shared-entry.ts";
import { encodeName } from "../../../src/node/wire/name-token.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { recordEvents } from "../../support/record-events.ts";
import { until } from "../../support/until.ts";
import { RecordingScope } from "./recording-scope.ts";
import { pushOf, SharingGateway } from "./sharing-gateway.ts";

const snippet = readFileSync(new URL("permissions.conf", import.meta.url), "utf8");

describe("the documented permissions", () => {
  let server: NatsServer;
  beforeAll(async () => {
    const other = nodePermissions("orders@c");
    const users = `{ user: "orders", password: "o", permissions: ${JSON.stringify(other)} }\n    {\n      user: "users"`;
    const config = snippet
      .replace("$GATEWAY_PASSWORD", '"g"')
      .replace("$USERS_PASSWORD", '"u"')
      .replace('{\n      user: "users"', users);
    server = await NatsServer.start({ config });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const gatewayLogin = { user: "gateway", pass: "g" };
  const usersLogin = { user: "users", pass: "u" };

  test("are those that gatewayPermissions and nodePermissions tell", () => {
    const quoted = [...snippet.slice(snippet.indexOf("users:")).matchAll(/"([^"]+\.[^"]*)"/g)].map(
      ([, subject]) => subject,
    );
    const gateway = gatewayPermissions();
    const node = nodePermissions("users@b");
    expect(quoted).toEqual([...gateway.publish, ...gateway.subscribe, ...node.publish, ...node.subscribe]);
  });

  test("let gateways and nodes do all that they do", async () => {
    using errors = recordEvents("node.transport.error");
    using first = new SharingGateway("gateway@1", { servers: server.url, ...gatewayLogin });
    using second = new SharingGateway("gateway@2", { servers: server.url, ...gatewayLogin });
    const node = new RecordingScope("users@b");
    const nodeEndpoint = nats({ servers: server.url, ...usersLogin }).openNode(node);
    const ends = [await node.next(), await node.next(), await first.scope.next(), await second.scope.next()];
    for (const end of ends) end.pipe.send(Buffer.alloc(3_000_000, 7));
    for (const end of ends) await end.count(1);
    first.pushes.put(pushOf("users@b", "1.0.0", 10_000));
    await second.has("users@b", "1.0.0");
    first.pushes.put(pushOf("users@b", "2.0.0"));
    await second.has("users@b", "2.0.0");
    second.pushes.remove("users", "users@b");
    await until(() => first.present.size === 0);
    nodeEndpoint.close();
    expect(errors.messages.map(({ metadata }) => metadata)).toEqual([]);
  });

  describe("refuse a node", () => {
    let node: NatsConnection;
    const violations: PermissionViolationError[] = [];
    beforeAll(async () => {
      node = await connect({ servers: server.url, ...usersLogin });
      (async () => {
        for await (const status of node.status()) {
          if (status.type === "error" && status.error instanceof PermissionViolationError)
            violations.push(status.error);
        }
      })();
    });
    afterAll(() => node.close());

    const other = encodeName("orders@c");
    const forbidden: [what: string, operation: "publish" | "subscription", subject: string][] = [
      ["writing what gateways share", "publish", `$KV.gen_api.${entryKey("users", "users@b")}`],
      ["deleting what gateways share", "publish", "$JS.API.STREAM.PURGE.KV_gen_api"],
      ["deleting the bucket", "publish", "$JS.API.STREAM.DELETE.KV_gen_api"],
      ["reading what gateways share", "publish", "$JS.API.STREAM.MSG.GET.KV_gen_api"],
      ["watching what gateways share", "publish", "$JS.API.CONSUMER.CREATE.KV_gen_api.spy.$KV.gen_api.>"],
      ["reading another node's calls", "subscription", `gen_api.down.${other}.>`],
      ["reading every node's calls", "subscription", "gen_api.down.>"],
      ["reading another node's results", "subscription", `gen_api.up.${other}.>`],
      ["reading its own results as a gateway", "subscription", "gen_api.up.>"],
      ["reading what gateways are answered", "subscription", "gen_api.inbox.>"],
      ["reading everything", "subscription", ">"],
      ["the shared inbox", "subscription", "_INBOX.>"],
      ["sending as another node", "publish", `gen_api.up.${other}.discover`],
      ["sending calls to a node", "publish", `gen_api.down.${other}.aaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb.m`],
      ["saying that it is a gateway", "publish", "gen_api.gateways"],
    ];
    for (const [what, operation, subject] of forbidden) {
      test(`${what}`, async () => {
        const before = violations.length;
        if (operation === "publish") node.publish(subject, "x");
        else node.subscribe(subject, { callback: () => undefined });
        await until(() => violations.length > before);
        expect(violations.at(-1)).toMatchObject({ operation, subject });
      });
    }

    test("so that the bucket holds what it held, and nobody was sent anything", async () => {
      using gateway = new SharingGateway("gateway@1", { servers: server.url, ...gatewayLogin });
      gateway.pushes.put(pushOf("users@b"));
      await gateway.has("users@b", "1.0.0");
      const forged = new EntrySigner(["x".repeat(40)], "gen_api").sign("entry", { stamp: 1, digest: null, parts: [] });
      const before = violations.length;
      node.publish(`$KV.gen_api.${entryKey("users", "users@b")}`, forged);
      await until(() => violations.length > before);
      using second = new SharingGateway("gateway@2", { servers: server.url, ...gatewayLogin });
      await second.has("users@b", "1.0.0");
      expect([...gateway.refusals, ...second.refusals]).toEqual([]);
    });
  });

  test("a wrong password is told and tried again, not given up", async () => {
    using errors = recordEvents("node.transport.error");
    const scope = new RecordingScope("users@b");
    const endpoint = nats({ servers: server.url, user: "users", pass: "wrong" }).openNode(scope);
    await until(() => errors.messages.length >= 3);
    endpoint.close();
    const { metadata } = errors.messages[0] as { metadata: { error?: Error } };
    expect(metadata.error?.message).toMatch(/^No connection to NATS: .*authorization violation/i);
    expect(scope.failures).toEqual([]);
  });

  test("a node under a name that its user does not have is told why it reaches nobody", async () => {
    using errors = recordEvents("node.transport.error");
    const endpoint = nats({ servers: server.url, ...usersLogin }).openNode(new RecordingScope("orders@c"));
    await until(() => errors.messages.length > 0);
    endpoint.close();
    const { metadata } = errors.messages[0] as { metadata: { error?: Error } };
    expect(metadata.error).toBeInstanceOf(PermissionViolationError);
  });
});
