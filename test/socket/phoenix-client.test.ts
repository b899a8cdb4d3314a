import { type Channel, Socket } from "phoenix";
import { describe, expect, it } from "vitest";
import WebSocket from "ws";
import { JoinRefused } from "../../src/socket/channels/channel.ts";
import { openGateway } from "./open-gateway.ts";

function connect(url: string, options: object = {}) {
  const socket = new Socket(url, {
    transport: WebSocket as never,
    reconnectAfterMs: () => 10,
    rejoinAfterMs: () => 10,
    ...options,
  });
  socket.connect();
  return Object.assign(socket, {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.disconnect(() => resolve())),
  });
}

/** What a join or push is answered with. */
function answered(push: ReturnType<Channel["join"]>): Promise<[string, unknown]> {
  return new Promise((resolve) => {
    for (const status of ["ok", "error", "timeout"] as const)
      push.receive(status, (response) => resolve([status, response]));
  });
}

describe("the official client", () => {
  it("joins, pushes, gets the push and the reply, and leaves", async () => {
    await using gateway = await openGateway();
    await using socket = connect(gateway.url);
    const channel = socket.channel("api:lobby");
    expect(await answered(channel.join())).toEqual(["ok", {}]);
    const pushed: unknown[] = [];
    channel.on("api", (payload) => void pushed.push(payload));
    expect(await answered(channel.push("api", { x: "é" }))).toEqual(["ok", "echo"]);
    expect(pushed).toEqual([{ x: "é" }]);
    const closed = new Promise<void>((resolve) => channel.onClose(() => resolve()));
    expect((await answered(channel.leave()))[0]).toBe("ok");
    await closed;
  });

  it("is told why its join is refused", async () => {
    const join = () => {
      throw new JoinRefused({ reason: "unauthorized" });
    };
    await using gateway = await openGateway({ channels: [{ topic: "api:*", join }] });
    await using socket = connect(gateway.url);
    const channel = socket.channel("api:lobby");
    expect(await answered(channel.join())).toEqual(["error", { reason: "unauthorized" }]);
    channel.leave();
  });

  it("brings its auth token and params", async () => {
    const seen: unknown[] = [];
    await using gateway = await openGateway({
      connect: ({ authToken, params }) => {
        seen.push(authToken, params.device);
        return {};
      },
    });
    await using socket = connect(gateway.url, { authToken: "tok/en==", params: { device: "d1" } });
    await answered(socket.channel("api:a").join());
    expect(seen).toEqual(["tok/en==", "d1"]);
  });

  it("joins again after its channel crashed", async () => {
    await using gateway = await openGateway();
    await using socket = connect(gateway.url);
    const channel = socket.channel("api:lobby");
    await answered(channel.join());
    const crashed = new Promise((resolve) => channel.onError(resolve));
    channel.push("no_such_event", {});
    await crashed;
    expect(await answered(channel.push("api", {}))).toEqual(["ok", "echo"]);
  });

  it("connects and joins again when it is disconnected by the gateway", async () => {
    await using gateway = await openGateway({ connect: () => ({ id: "user:1" }) });
    await using socket = connect(gateway.url);
    const channel = socket.channel("api:lobby");
    await answered(channel.join());
    const closed = new Promise<{ code: number }>((resolve) => socket.onClose(resolve as never));
    gateway.table.disconnect("user:1");
    expect((await closed).code).toBe(1001);
    expect(await answered(channel.push("api", {}))).toEqual(["ok", "echo"]);
  });

  it("sends bytes, which a request cannot be", async () => {
    await using gateway = await openGateway();
    gateway.handle = (payload, bytes, _caller, replyTo) =>
      replyTo.reply("error", JSON.stringify([Buffer.isBuffer(payload), bytes]));
    await using socket = connect(gateway.url);
    const channel = socket.channel("api:lobby");
    await answered(channel.join());
    const push = channel.push("api", new Uint8Array([1, 2, 3]).buffer);
    expect(await answered(push)).toEqual(["error", [true, 3]]);
  });

  it("cannot join with bytes", async () => {
    let asked = 0;
    const join = () => asked++;
    await using gateway = await openGateway({ channels: [{ topic: "api:*", event: "api", join }] });
    const client = await gateway.connect();
    client.send(Buffer.concat([Buffer.from([0, 1, 1, 5, 8]), Buffer.from("11api:aphx_join"), Buffer.from([1, 2])]));
    expect((await client.reply("1"))[4]).toEqual({ status: "error", response: { reason: "payload is binary" } });
    expect(asked).toBe(0);
  });

  it("of version 1 is understood", async () => {
    await using gateway = await openGateway();
    await using socket = connect(gateway.url, {
      vsn: "1.0.0",
      encode: (message: object, done: (text: string) => void) => done(JSON.stringify(message)),
      decode: (text: string, done: (message: unknown) => void) => done(JSON.parse(text)),
    });
    const channel = socket.channel("api:lobby");
    expect(await answered(channel.join())).toEqual(["ok", {}]);
    expect(await answered(channel.push("api", {}))).toEqual(["ok", "echo"]);
  });
});
