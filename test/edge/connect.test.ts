import { once } from "node:events";
import { ConnectRefused as FromPackage } from "gen-api";
import { describe, expect, test } from "vitest";
import type { Assigns } from "../../src/socket/handshake/assigns.ts";
import { ConnectRefused } from "../../src/socket/handshake/connect-refused.ts";
import type { ConnectRequest } from "../../src/socket/handshake/socket-options.ts";
import { type GatewayOptions, listenTo, openGateway } from "../socket/open-gateway.ts";
import { exchange, open, statusLine, upgradeRequest } from "../support/network/raw-http.ts";

const upgrade = upgradeRequest("/socket/websocket?vsn=2.0.0");
const portOf = ({ url }: { readonly url: string }) => Number(new URL(url).port);

/** The status that a client is answered with, and what telemetry says of it. */
async function answerTo(connect: () => unknown, options: GatewayOptions = {}) {
  using refusals = listenTo("connection.refuse");
  await using gateway = await openGateway({ ...options, connect: connect as never });
  const line = await statusLine(portOf(gateway), upgrade);
  const { reason = null, error = null } = refusals.messages[0]?.metadata ?? {};
  return { status: Number(line.split(" ")[1]), reason, error, told: refusals.messages.length };
}

describe("connect that throws ConnectRefused", () => {
  test("refuses with that status, an empty body and Retry-After in whole seconds", async () => {
    for (const Refused of [ConnectRefused, FromPackage]) {
      await using gateway = await openGateway({
        connect: () => {
          throw new Refused(401, { retryAfterMs: 1_001, reason: "no token" });
        },
      });
      const answer = await exchange(portOf(gateway), upgrade);
      expect(answer).toBe(
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 2\r\n\r\n",
      );
    }
  });

  test("sends no Retry-After where none is given, and gives the reason to telemetry", async () => {
    await using gateway = await openGateway({
      connect: async () => {
        throw new ConnectRefused(503);
      },
    });
    expect(await exchange(portOf(gateway), upgrade)).not.toContain("Retry-After");
    const refused = () => {
      throw new ConnectRefused(599, { reason: "why not" });
    };
    expect(await answerTo(refused)).toMatchObject({ status: 599, reason: "why not" });
  });

  test.each([
    [200],
    [399],
    [600],
    [401.5],
    [Number.NaN],
    ["401"],
    [undefined],
    [401, { retryAfterMs: -1 }],
    [401, { retryAfterMs: Number.POSITIVE_INFINITY }],
    [401, { retryAfterMs: Number.NaN }],
    [401, { retryAfterMs: "5" }],
    [401, { reason: 5 }],
  ])("cannot be made of %j, %j", (status, options?: object) => {
    expect(() => new ConnectRefused(status as never, options as never)).toThrow(
      expect.objectContaining({
        code: "invalid_option",
        message: expect.stringMatching(/of ConnectRefused must be .*, got /),
      }),
    );
  });

  test("and returns one, or any Error, lets nobody in", async () => {
    for (const error of [new ConnectRefused(401), new Error("no")]) {
      expect(await answerTo(() => error)).toMatchObject({ status: 500, reason: "connect returned an invalid value" });
    }
  });
});

describe("the gateway's own refusals say when to come again:", () => {
  test("429 and 503", async () => {
    const never = () => new Promise<never>(() => undefined);
    await using address = await openGateway({ maxConnectionsPerAddress: 1 });
    await address.connect();
    expect(await exchange(portOf(address), upgrade)).toMatch(/^HTTP\/1\.1 429 .*\r\nRetry-After: \d+\r\n/s);
    await using all = await openGateway({ maxConnections: 1 });
    await all.connect();
    expect(await exchange(portOf(all), upgrade)).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: \d+\r\n/s);
    await using slow = await openGateway({ connect: never, connectTimeoutMs: 20 });
    expect(await exchange(portOf(slow), upgrade)).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: \d+\r\n/s);
    let isAsked = false;
    const stopping = await openGateway({
      connect: () => {
        isAsked = true;
        return never();
      },
    });
    const answer = exchange(portOf(stopping), upgrade);
    await expect.poll(() => isAsked).toBe(true);
    await stopping.system.shutdown();
    expect(await answer).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: \d+\r\n/s);
  });
});

describe("an expiresAt", () => {
  test.each([
    ["that has passed", () => Date.now() - 1_000, "expiresAt has passed"],
    ["that has passed, a Date", () => new Date(Date.now() - 1_000), "expiresAt has passed"],
    ["in seconds", () => Math.floor(Date.now() / 1_000) + 3_600, "expiresAt has passed"],
    ["before 1970", () => Number.NEGATIVE_INFINITY, "expiresAt is not a time"],
    ["NaN", () => Number.NaN, "expiresAt is not a time"],
    ["Infinity", () => Number.POSITIVE_INFINITY, "expiresAt is not a time"],
    ["beyond what a Date holds", () => 1e300, "expiresAt is not a time"],
    ["an invalid Date", () => new Date("tomorrow"), "expiresAt is not a time"],
  ])("%s refuses the client with 403, and telemetry says why", async (_what, expiresAt, reason) => {
    expect(await answerTo(() => ({ expiresAt: expiresAt() }))).toMatchObject({ status: 403, reason, told: 1 });
  });

  test("of another type is a mistake", async () => {
    for (const expiresAt of ["soon", "1e20", true, {}, 5n]) {
      expect(await answerTo(() => ({ expiresAt }))).toMatchObject({ status: 500 });
    }
  });

  test("to come, or null, lets in", async () => {
    for (const expiresAt of [Date.now() + 60_000, new Date(Date.now() + 60_000), null, undefined]) {
      expect(await answerTo(() => ({ expiresAt }))).toMatchObject({ status: 101, told: 0 });
    }
  });
});

describe("whatever connect returns or throws, there is one answer:", () => {
  const throwing = () => {
    throw new Error("a trap");
  };
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const hostile: Record<string, () => unknown> = {
    "a revoked proxy": revoked,
    "a proxy whose every trap throws": () => new Proxy({}, { get: throwing, ownKeys: throwing, has: throwing }),
    "a getter that throws": () => ({
      get userId() {
        return throwing();
      },
    }),
    "roles that throw": () => ({ userRoles: new Proxy([], { get: throwing }) }),
    "an expiresAt that throws": () => ({ expiresAt: { valueOf: throwing } }),
    "a then that throws": () => ({
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      get then() {
        return throwing();
      },
    }),
    "a thenable that never settles": () => ({
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      then: () => undefined,
    }),
    "a throw of a revoked proxy": () => {
      throw revoked();
    },
    "a rejection with a revoked proxy": () => Promise.reject(revoked()),
    "an error whose fields throw": () => {
      throw Object.defineProperty(new Error(""), "message", { get: throwing });
    },
    "a function": () => throwing,
  };

  test.each(Object.entries(hostile))("%s", async (_what, connect) => {
    const answer = await answerTo(connect, { connectTimeoutMs: 200 });
    expect([500, 503]).toContain(answer.status);
    expect(answer.told).toBe(1);
    expect(answer.error).toBeInstanceOf(Error);
  });

  test("what it returned is read once, then nobody can change who the client is", async () => {
    let reads = 0;
    class User {
      readonly #name = "1";
      get userId() {
        reads += 1;
        if (reads > 1) throwing();
        return this.#name;
      }
      roles = ["a"];
      get userRoles() {
        return this.roles;
      }
      greet() {
        return `I am ${this.userId}`;
      }
      get id() {
        return "x";
      }
    }
    const user = new User();
    let greeting = "";
    await using gateway = await openGateway({
      connect: () => user as never,
      channels: [
        {
          topic: "api:*",
          event: "api",
          join: ({ socket }) => {
            greeting = (socket.assigns as unknown as User).greet();
          },
        },
      ],
    });
    const client = await gateway.connect();
    user.roles.push("admin");
    await client.join("api:a");
    client.send(["1", "2", "api:a", "api", {}]);
    await client.reply("2");
    expect(greeting).toBe("I am 1");
    expect(gateway.handled[0]?.caller).toMatchObject({ userId: "1", userRoles: ["a"] });
    expect(gateway.table.disconnect("x")).toBe(1);
  });
});

describe("a client that goes while connect runs", () => {
  /** A gateway with one place, whose connect waits for ever unless the query says otherwise. */
  async function waiting() {
    const signals: AbortSignal[] = [];
    const gateway = await openGateway({
      maxConnections: 1,
      connect: ({ params, signal }: ConnectRequest) => {
        signals.push(signal);
        return params.quick ? {} : new Promise<never>(() => undefined);
      },
    });
    return { gateway, signals, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
  }

  test.each([
    ["half closes", "end", ""],
    ["resets", "resetAndDestroy", ""],
    ["half closes after it has sent more", "end", "frames, too early"],
  ] as const)("and %s gives its place back at once, and connect's signal aborts", async (_what, go, more) => {
    await using given = await waiting();
    const { gateway, signals } = given;
    const port = portOf(gateway);
    const client = await open(port);
    client.write(`${upgrade}${more}`);
    await expect.poll(() => signals.length).toBe(1);
    const aborted = once(signals[0] as AbortSignal, "abort");
    client[go]();
    await aborted;
    expect(signals[0]?.reason).toMatchObject({ code: "cancelled", message: "the client has gone" });
    const next = upgradeRequest("/socket/websocket?vsn=2.0.0&quick=1");
    await expect.poll(() => statusLine(port, next)).toMatch(/ 101 /);
    client.destroy();
  });

  test("leaves nothing behind, a thousand of them", async () => {
    using refusals = listenTo("connection.refuse");
    let asked = 0;
    await using gateway = await openGateway({
      maxWaitingConnections: 1_000,
      connect: () => {
        asked += 1;
        return new Promise<never>(() => undefined);
      },
    });
    const clients = await Promise.all(Array.from({ length: 1_000 }, () => open(portOf(gateway))));
    for (const client of clients) client.end(upgrade);
    await expect.poll(() => refusals.messages.length).toBe(1_000);
    expect(asked).toBe(1_000);
    for (const client of clients) client.destroy();
  });

  test("the signal aborts when connect takes too long or the gateway stops, and not when it has answered", async () => {
    const signals: AbortSignal[] = [];
    const connect = ({ params, signal }: ConnectRequest) => {
      signals.push(signal);
      return params.quick ? {} : new Promise<never>(() => undefined);
    };
    await using late = await openGateway({ connect, connectTimeoutMs: 20 });
    await expect(late.connect()).rejects.toMatchObject({ status: 503 });
    expect(signals.at(-1)?.reason).toMatchObject({ code: "timeout" });
    const stopping = await openGateway({ connect });
    const client = await stopping.connect("vsn=2.0.0&quick=1");
    await client.close();
    expect(signals.at(-1)?.aborted).toBe(false);
    const refused = stopping.connect();
    refused.catch(() => undefined);
    await expect.poll(() => signals.length).toBe(3);
    await stopping.system.shutdown();
    expect(signals.at(-1)?.reason).toMatchObject({ code: "stopped" });
  });

  test("who sends without end before it is let in is refused", async () => {
    await using given = await waiting();
    const answer = exchange(portOf(given.gateway), `${upgrade}${"x".repeat(200_000)}`);
    expect(await answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("frames that came too early are read when it is let in", async () => {
    let letIn: (assigns: Assigns) => void = () => undefined;
    await using gateway = await openGateway({
      connect: () =>
        new Promise<Assigns>((resolve) => {
          letIn = resolve;
        }),
    });
    const client = await open(portOf(gateway));
    const text = '[null,"1","phoenix","heartbeat",{}]';
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
    client.write(Buffer.concat([Buffer.from(upgrade), frame]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.write(frame);
    await new Promise((resolve) => setTimeout(resolve, 20));
    letIn({});
    let answer = "";
    client.on("data", (data) => {
      answer += data;
    });
    await expect.poll(() => answer.match(/phx_reply/g)?.length).toBe(2);
    client.destroy();
  });
});
