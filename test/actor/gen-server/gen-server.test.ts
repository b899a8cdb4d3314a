import { afterEach, describe, expect, it } from "vitest";
import { type AnyActorRef, createActor } from "xstate";
import {
  call,
  cast,
  fromGenServer,
  type GenServerRef,
  type GenServerRefFrom,
  noReply,
  refuse,
  stop,
} from "../../../src/actor/gen-server/gen-server.ts";
import { type From, reply } from "../../../src/actor/gen-server/gen-server-ref.ts";
import { exitOf, isAlive, kill, shutdownEvent } from "../../../src/actor/lifecycle/exit.ts";
import { libraryError } from "../../../src/core/errors.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const log: string[] = [];
const waiting: From<string>[] = [];
const started: AnyActorRef[] = [];

const counter = fromGenServer({
  init: (input: { from: number }, server) => {
    server.sendAfter({ type: "tick" }, 1000);
    if (input.from < 0) throw new Error("below zero");
    return { count: input.from, ticks: 0 };
  },
  handleCall: {
    get: (state) => state.count,
    add: (state, by: number) => {
      state.count += by;
      return state.count;
    },
    ticks: (state) => state.ticks,
    later: (_state, _argument: undefined, from: From<string>) => {
      waiting.push(from);
      return noReply;
    },
    promised: async (_state, value: string) => value.toUpperCase(),
    refuse: () => refuse(libraryError("not_found", "no such thing")),
    crash: () => {
      throw new Error("broken handler");
    },
    finish: (state) => stop("normal", state.count),
  },
  handleCast: {
    set: (state, count: number) => {
      state.count = count;
    },
    quit: (_state, reason: "normal" | "shutdown") => stop(reason),
    fail: () => stop({ error: new Error("gave up") }),
  },
  handleInfo: (state, event) => {
    if (event.type === "tick") state.ticks += 1;
  },
  terminate: (_state, reason) => {
    log.push(typeof reason === "string" ? reason : reason.error.message);
  },
});

function startCounter(from = 0) {
  const clock = new SimulatedClock();
  const actor = createActor(counter, { input: { from }, clock });
  actor.subscribe({ error: () => undefined });
  actor.start();
  started.push(actor);
  return { clock, actor, ref: actor as GenServerRefFrom<typeof counter> };
}

afterEach(() => {
  for (const actor of started.splice(0)) if (isAlive(actor)) kill(actor);
  log.length = 0;
  waiting.length = 0;
});

describe("a gen server", () => {
  it("answers calls one after another with its own state", async () => {
    const { ref, clock } = startCounter(40);
    const answers = [call(ref, "add", 1), call(ref, "add", 1), call(ref, "get")];
    expect(await Promise.all(answers)).toEqual([41, 42, 42]);
    expect(clock.pending, "only the tick, no call's timeout, is left").toBe(1);
  });

  it("takes casts before the calls that follow them", async () => {
    const { ref } = startCounter();
    cast(ref, "set", 7);
    expect(await call(ref, "get")).toBe(7);
  });

  it("receives what it sent itself for later", async () => {
    const { ref, clock } = startCounter();
    clock.advance(999);
    expect(await call(ref, "ticks")).toBe(0);
    clock.advance(1);
    expect(await call(ref, "ticks")).toBe(1);
  });

  it("can answer later, and goes on meanwhile", async () => {
    const { ref } = startCounter(3);
    const late = call(ref, "later");
    expect(await call(ref, "get")).toBe(3);
    const [from] = waiting;
    reply(from!, "at last");
    reply(from!, "twice");
    expect(await late).toBe("at last");
  });

  it("answers with what a promise settles to", async () => {
    const { ref } = startCounter();
    expect(await call(ref, "promised", "abc")).toBe("ABC");
  });

  it("refuses a call without ending", async () => {
    const { ref } = startCounter(1);
    await expect(call(ref, "refuse")).rejects.toMatchObject({ code: "not_found" });
    expect(await call(ref, "get")).toBe(1);
  });

  it("lets a call time out after 5000 ms, or after what the caller says", async () => {
    const { ref, clock } = startCounter();
    const usual = call(ref, "later");
    const short = call(ref, "later", undefined, { timeoutMs: 10 });
    clock.advance(10);
    await expect(short).rejects.toMatchObject({ code: "timeout" });
    clock.advance(4989);
    reply(waiting[0]!, "just in time");
    expect(await usual).toBe("just in time");
    const late = call(ref, "later");
    clock.advance(5000);
    await expect(late).rejects.toMatchObject({ code: "timeout" });
    expect(clock.pending).toBe(0);
  });

  it("fails its callers with noproc and the cause when a handler throws", async () => {
    const { ref, actor, clock } = startCounter();
    const other = call(ref, "later");
    await expect(call(ref, "crash")).rejects.toMatchObject({
      code: "noproc",
      cause: expect.objectContaining({ message: "broken handler" }),
    });
    await expect(other).rejects.toMatchObject({ code: "noproc" });
    await expect(call(ref, "get")).rejects.toMatchObject({ code: "noproc" });
    expect(exitOf(actor)).toMatchObject({ error: { message: "broken handler" } });
    expect(log).toEqual(["broken handler"]);
    expect(clock.pending).toBe(0);
  });

  it("has no handlers but its own: names that every object inherits are not found", async () => {
    for (const name of ["constructor", "toString", "__proto__"]) {
      const { ref, actor } = startCounter();
      await expect(call(ref, name as "get")).rejects.toMatchObject({ cause: { code: "not_found" } });
      expect(exitOf(actor)).toMatchObject({
        error: { message: expect.stringContaining(`No call "${name}"; there are get, add,`) },
      });
      const other = startCounter();
      cast(other.ref, name as "set", 1);
      expect(exitOf(other.actor)).toMatchObject({ error: { message: `No cast "${name}"; there are set, quit, fail` } });
    }
  });

  it("rejects a call to nobody with noproc", async () => {
    const nobody = undefined as GenServerRefFrom<typeof counter> | undefined;
    await expect(call(nobody, "get")).rejects.toMatchObject({ code: "noproc" });
    cast(nobody, "set", 1);
  });

  it.each(["normal", "shutdown"] as const)("ends as %s when it says so", (reason) => {
    const { ref, actor, clock } = startCounter();
    cast(ref, "quit", reason);
    expect(exitOf(actor)).toBe(reason);
    expect(log).toEqual([reason]);
    expect(clock.pending).toBe(0);
  });

  it("ends with an error when it says that it was killed: only others can kill it", () => {
    const { ref, actor } = startCounter();
    cast(ref, "quit", "killed" as "normal");
    expect(exitOf(actor)).toMatchObject({ error: { code: "stopped" } });
    expect(log).toEqual(["killed"]);
  });

  it("ends with an error when it says so, terminated once", () => {
    const { ref, actor } = startCounter();
    cast(ref, "fail");
    expect(exitOf(actor)).toMatchObject({ error: { message: "gave up" } });
    expect(log).toEqual(["gave up"]);
  });

  it("gives a last answer while it stops", async () => {
    const { ref, actor } = startCounter(9);
    expect(await call(ref, "finish")).toBe(9);
    expect(exitOf(actor)).toBe("normal");
  });

  it("terminates when it is asked to end, and when it is killed", () => {
    const asked = startCounter();
    asked.actor.send(shutdownEvent);
    expect(exitOf(asked.actor)).toBe("shutdown");
    const killed = startCounter();
    kill(killed.actor);
    expect(exitOf(killed.actor)).toBe("killed");
    expect(log).toEqual(["shutdown", "killed"]);
  });

  it("fails its start when init throws, and leaves no timer that init has set", () => {
    const { actor, clock } = startCounter(-1);
    expect(exitOf(actor)).toMatchObject({ error: { message: "below zero" } });
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("leaves no timer when it has ended, however it ends", () => {
    for (const end of [shutdownEvent, { type: "gen_server.cast", name: "fail" }]) {
      const { actor, clock } = startCounter();
      expect(clock.pending).toBe(1);
      actor.send(end as never);
      expect([exitOf(actor) === undefined, clock.pending]).toEqual([false, 0]);
    }
    const { actor, clock } = startCounter();
    kill(actor);
    expect(clock.pending).toBe(0);
  });

  it("does not hear what it sent itself for later and took back", () => {
    const server = fromGenServer({
      init: (_input, { sendAfter }) => ({ takeBack: sendAfter({ type: "tick" }, 1_000), heard: 0 }),
      handleCast: { takeBack: (state) => state.takeBack() },
      handleInfo: (state) => {
        state.heard++;
      },
      formatStatus: ({ heard }) => ({ heard }),
    });
    const clock = new SimulatedClock();
    const ref = createActor(server, { input: undefined, clock }).start() as GenServerRefFrom<typeof server>;
    cast(ref, "takeBack");
    expect(clock.pending).toBe(0);
    clock.advance(1_000);
    expect(ref.getSnapshot()).toMatchObject({ running: { state: { heard: 0 } } });
  });

  it("waits for an asynchronous terminate, serving nobody any more", async () => {
    let finish = () => undefined as unknown;
    const slow = fromGenServer({
      init: () => ({ served: 0 }),
      handleCall: { serve: (state) => ++state.served },
      terminate: () => new Promise((resolve) => (finish = () => resolve(undefined))),
    });
    const actor = createActor(slow, { input: undefined });
    const ref = actor.start() as GenServerRefFrom<typeof slow>;
    const ended = new Promise<void>((resolve) => actor.subscribe({ complete: resolve, error: () => resolve() }));
    actor.send(shutdownEvent);
    expect(exitOf(actor)).toBeUndefined();
    const unserved = call(ref, "serve");
    finish();
    await ended;
    expect(exitOf(actor)).toBe("shutdown");
    await expect(unserved).rejects.toMatchObject({ code: "noproc" });
  });

  it("takes an asynchronous handler's result in a turn of its own", async () => {
    const asynchronous = fromGenServer({
      init: () => ({}),
      handleCall: {
        finish: async () => stop("normal", "bye"),
        reject: async () => {
          throw new Error("rejected");
        },
      },
      handleCast: {
        fail: async () => {
          throw new Error("nobody waits");
        },
      },
    });
    const start = () => {
      const actor = createActor(asynchronous, { input: undefined });
      const ended = new Promise<void>((resolve) => actor.subscribe({ complete: resolve, error: () => resolve() }));
      return { ended, ref: actor.start() as GenServerRefFrom<typeof asynchronous> };
    };
    const one = start();
    await expect(call(one.ref, "reject")).rejects.toThrow("rejected");
    const last: string = await call(one.ref, "finish");
    expect(last).toBe("bye");
    expect(exitOf(one.ref)).toBe("normal");
    const other = start();
    cast(other.ref, "fail");
    await other.ended;
    expect(exitOf(other.ref)).toMatchObject({ error: { message: "nobody waits" } });
  });

  it("does not compile a call or cast that its handlers do not take", () => {
    const check = (ref: GenServerRefFrom<typeof counter>) => {
      // @ts-expect-error no such call
      call(ref, "unknown");
      // @ts-expect-error the argument is missing
      call(ref, "add");
      // @ts-expect-error the argument is of the wrong type
      call(ref, "add", "1");
      // @ts-expect-error a cast is no call
      call(ref, "set", 1);
      // @ts-expect-error no such cast
      cast(ref, "get");
      // @ts-expect-error the argument is of the wrong type
      cast(ref, "quit", "later");
      const reply: Promise<number> = call(ref, "add", 1);
      // @ts-expect-error it answers with a number
      const wrong: Promise<string> = call(ref, "add", 1);
      const late: Promise<string> = call(ref, "later");
      const promised: Promise<string> = call(ref, "promised", "a");
      const last: Promise<number> = call(ref, "finish");
      // @ts-expect-error another server's reference
      const other: GenServerRef<{ get: () => string }, Record<never, never>> = ref;
      return [reply, wrong, late, promised, last, other];
    };
    expect(check).toBeTypeOf("function");
  });
});
