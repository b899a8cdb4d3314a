import { randomBytes } from "node:crypto";
import { type Backoff, backoffMs } from "../../core/time/backoff.ts";
import type { TransportScope } from "../node-transport.ts";
import type { BrokerLink } from "./broker-link.ts";
import { type Announcement, encodeMessage } from "./nats-messages.ts";
import { NatsPipe } from "./nats-pipe.ts";
import type { Subjects } from "./subjects.ts";

/** The options and callbacks of a {@link NodeDial}. */
export interface NodeDialOptions {
  readonly link: BrokerLink;
  readonly subjects: Subjects;
  readonly scope: TransportScope;
  readonly nodeInstance: string;
  readonly announcement: Announcement;
  /** The gateway has been silent for long, and there is no pipe to it: dialing has ended. */
  forgotten(): void;
}

const backoff: Backoff = { firstMs: 100, maxMs: 5_000 };

// The longest time in which a present gateway answers.
const acceptMs = 5_000;

// A gateway that is silent for this many announcement intervals is gone.
const silentTimes = 3;

/** Keeps a node's pipe to one instance of a gateway, for as long as that announces itself. */
export class NodeDial {
  readonly #options: NodeDialOptions;
  #pipe: NatsPipe | null = null;
  #timer: unknown;
  #heardAt: number;
  #attempts = 0;
  #isEnded = false;

  constructor(options: NodeDialOptions) {
    this.#options = options;
    this.#heardAt = options.scope.clock.now();
  }

  /** The gateway has announced itself again. */
  heard(): void {
    this.#heardAt = this.#options.scope.clock.now();
  }

  /** Dials at once for 0, otherwise after a random part of these milliseconds. */
  dialWithin(ms: number): void {
    const { clock, random } = this.#options.scope;
    if (ms === 0) this.#dial();
    else this.#timer = clock.setTimeout(() => this.#dial(), Math.floor(ms * random()));
  }

  /** Closes the pipe and notifies the gateway. */
  close(reason: string): void {
    this.#stop();
    this.#pipe?.close(reason);
  }

  /** Ends the pipe only on this side: the gateway cannot be reached. */
  end(reason: string): void {
    this.#stop();
    this.#pipe?.end(reason);
  }

  #stop(): void {
    this.#isEnded = true;
    this.#options.scope.clock.clearTimeout(this.#timer);
  }

  #dial(): void {
    const { link, subjects, scope, nodeInstance, announcement } = this.#options;
    const session = randomBytes(16).toString("base64url");
    const pipe = new NatsPipe({
      link,
      peer: `${announcement.gateway} over NATS`,
      inward: subjects.down(scope.name, nodeInstance, session),
      outward: subjects.up(scope.name, announcement.instance, session),
      ended: (ended) => this.#lost(ended),
    });
    this.#pipe = pipe;
    this.#timer = scope.clock.setTimeout(() => pipe.close("the gateway did not answer"), acceptMs);
    const payload = encodeMessage({ instance: nodeInstance, session });
    pipe.request(subjects.open(announcement.instance, scope.name), payload, () => {
      scope.clock.clearTimeout(this.#timer);
      pipe.receiveWith(scope.connected(pipe));
    });
  }

  #lost(pipe: NatsPipe): void {
    const { scope, announcement, forgotten } = this.#options;
    scope.clock.clearTimeout(this.#timer);
    this.#pipe = null;
    if (this.#isEnded || scope.isLeaving?.()) return;
    this.#attempts = pipe.wasUp ? 1 : this.#attempts + 1;
    const waitMs = backoffMs(backoff, Math.min(this.#attempts, 30), scope.random());
    this.#timer = scope.clock.setTimeout(() => {
      const silentMs = scope.clock.now() - this.#heardAt;
      if (silentMs <= silentTimes * announcement.everyMs) {
        this.#dial();
      } else {
        this.#isEnded = true;
        forgotten();
      }
    }, waitMs);
  }
}
