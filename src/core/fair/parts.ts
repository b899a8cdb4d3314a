import type { Linked } from "./linked-queue.ts";
import { LinkedQueue } from "./linked-queue.ts";
import { type Ranked, Ranking } from "./ranking.ts";

/** An identity's part of a shared thing: the sum over its connections. */
export class IdentityPart<Item extends Linked<Item>> implements Linked<IdentityPart<Item>>, Ranked<IdentityPart<Item>> {
  /** Whether this is the host program, which has no limits. */
  readonly isHost: boolean;
  /** Places it holds. */
  held = 0;
  /** Items that wait for a place. */
  waiting = 0;
  before: IdentityPart<Item> | null = null;
  after: IdentityPart<Item> | null = null;
  equalBefore: IdentityPart<Item> | null = null;
  equalAfter: IdentityPart<Item> | null = null;
  /** Its connections with waiting items, in the order of their turns. */
  readonly turns = new LinkedQueue<ConnectionPart<Item>>();
  readonly ranking = new Ranking<ConnectionPart<Item>>();
  /** It was idle for a while, and another part now represents the identity. */
  isForgotten = false;

  constructor(isHost: boolean) {
    this.isHost = isHost;
  }

  get isIdle(): boolean {
    return this.held === 0 && this.waiting === 0;
  }
}

/** A connection's part of a shared thing. */
export class ConnectionPart<Item extends Linked<Item>>
  implements Linked<ConnectionPart<Item>>, Ranked<ConnectionPart<Item>>
{
  identity: IdentityPart<Item>;
  held = 0;
  waiting = 0;
  before: ConnectionPart<Item> | null = null;
  after: ConnectionPart<Item> | null = null;
  equalBefore: ConnectionPart<Item> | null = null;
  equalAfter: ConnectionPart<Item> | null = null;
  /** Its waiting items, in the order in which they came. */
  readonly queue = new LinkedQueue<Item>();

  constructor(identity: IdentityPart<Item>) {
    this.identity = identity;
  }
}
