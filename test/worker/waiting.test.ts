import { describe, expect, test } from "vitest";
import type { PoolTask } from "../../src/worker/pool-task.ts";
import { type Sent, ThreadInbox } from "../../src/worker/thread-inbox.ts";
import { WaitingCalls } from "../../src/worker/waiting-calls.ts";

const taskOf = (module: string) => ({ function: { module }, before: null, after: null, thread: null }) as PoolTask;

describe("calls that wait for a thread that has their module", () => {
  test("wait by module, each in its order, and no module is kept that nobody waits for", () => {
    const waiting = new WaitingCalls();
    expect([waiting.isEmpty, waiting.first("a"), waiting.has("a")]).toEqual([true, null, false]);
    const [a, b, again] = [taskOf("a"), taskOf("b"), taskOf("a")];
    for (const task of [a, b, again]) waiting.push(task);
    expect(a.thread).toBe(waiting);
    expect([waiting.first("a") === a, waiting.first("b") === b, waiting.has("c")]).toEqual([true, true, false]);
    expect([...waiting.modules]).toEqual(["a", "b"]);
    expect(waiting.tasks).toEqual([a, again, b]);
    waiting.withdraw(a);
    expect([waiting.first("a") === again, a.thread, waiting.isEmpty]).toEqual([true, null, false]);
    for (const task of [again, b]) waiting.withdraw(task);
    expect([[...waiting.modules], waiting.isEmpty, waiting.tasks]).toEqual([[], true, []]);
  });
});

interface Item extends Sent<Item> {
  readonly name: number;
}

describe("what was sent to a thread and is not begun there", () => {
  const open = () => {
    const inbox = new ThreadInbox<Item>();
    const items: Item[] = [];
    const push = (count: number) => {
      for (let at = 0; at < count; at++) {
        const item: Item = { name: items.length, before: null, after: null, sentAtLook: 0 };
        items.push(item);
        inbox.push(item);
      }
    };
    const remove = (count: number) => {
      for (const item of items.splice(0, count)) inbox.remove(item);
    };
    return { inbox, push, remove };
  };

  test("is 64 at first, and no more", () => {
    const { inbox, push } = open();
    push(63);
    expect(inbox.isFull).toBe(false);
    push(1);
    expect(inbox.isFull).toBe(true);
  });

  test("may be twice as much after each look at which nothing was late and something had to wait, up to 512", () => {
    const { inbox, push, remove } = open();
    const roomAfter = () => {
      let room = 0;
      for (; !inbox.isFull; room++) push(1);
      remove(room);
      return room;
    };
    inbox.look(0);
    expect(roomAfter()).toBe(64);
    const rooms = [128, 256, 512, 512].map(() => {
      inbox.refuse();
      inbox.look(0);
      return roomAfter();
    });
    expect(rooms).toEqual([128, 256, 512, 512]);
    // Nothing has had to wait since.
    inbox.look(0);
    expect(roomAfter()).toBe(512);
  });

  test("is late when it was there at two looks: all of it is taken back where nothing was begun, else what is too much", () => {
    const { inbox, push, remove } = open();
    push(20);
    // It came since the look before.
    expect(inbox.look(0)).toBe(0);
    expect(inbox.look(5)).toBe(15);
    remove(15);
    expect([inbox.isFull, inbox.look(5)]).toEqual([true, 0]);
    expect(inbox.look(0)).toBe(5);
    remove(5);
    push(1);
    // One may always be sent.
    expect([inbox.isFull, inbox.look(0)]).toEqual([true, 0]);
  });
});
