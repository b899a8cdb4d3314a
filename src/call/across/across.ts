import { createHash } from "node:crypto";
import { libraryError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import { type Claim, claimTtlMs, type PeerPipe, type PeerReceiver, type Peers } from "../../node/peers/peers.ts";
import type { KeyedCall } from "../idempotency/keyed-call.ts";
import type { KeyedCalls } from "../idempotency/keyed-calls.ts";
import { cancelled, unavailable } from "../request/failure.ts";
import type { ResumableStreams } from "../resume/resumable-streams.ts";
import { partOf } from "../resume/resume-token.ts";
import { AskedCall, type AskingRequest } from "./asked-call.ts";
import { ForwardedStream, type ForwardedStreamOptions } from "./forwarded-stream.ts";
import { OtherGateway } from "./other-gateway.ts";
import { Visitor } from "./visitor.ts";

/** The parts of the gateway that {@link Across} needs. */
export interface AcrossOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly resumable: ResumableStreams;
  readonly keyedCalls: KeyedCalls;
  /** The transport's; undefined while that is closed. */
  peers(): Peers | undefined;
}

/** A request that asks the owner of its key, for as long as it waits. */
export interface Asking {
  /** Its client cancels it, and with it the call. */
  cancel(): void;
  /** It does not wait any more. */
  leave(): void;
}

// Clients may send tokens of gateways that never were.
const maxOthers = 1_000;

// Each time another gateway had taken the key over, and given it up.
const maxOwners = 8;

/** What makes one call of requests with the same key, whichever gateways they reach. */
export class Across {
  /** By this the others find this gateway. It is part of the tokens of its streams. */
  readonly address: string;
  readonly #options: AcrossOptions;
  readonly #others = new Map<string, OtherGateway>();
  #timer: unknown;
  #isClosed = false;

  constructor(options: AcrossOptions) {
    this.address = options.address;
    this.#options = options;
  }

  /** Another gateway has opened a pipe to this one. */
  accepted(pipe: PeerPipe): PeerReceiver {
    return new Visitor(pipe, this.#options);
  }

  /**
   * Claims a key before its call is executed.
   * @param replaced the claim of another gateway that knows nothing of the key, or is gone
   * @returns null if this gateway has it; otherwise the other one's claim. Rejects if nobody can tell
   */
  async claim(keyed: KeyedCall, replaced: Claim | null = null): Promise<Claim | null> {
    const peers = this.#options.peers();
    if (peers === undefined) throw libraryError("unavailable", "The transport between gateways is closed");
    const claim = await peers.claim(hashOf(keyed.key), replaced?.revision ?? keyed.claimed?.revision ?? 0);
    const isOwn = claim.owner === this.address;
    keyed.claimed = isOwn ? { revision: claim.revision, at: this.#options.clock.now() } : null;
    if (isOwn) this.#watch();
    return isOwn ? null : claim;
  }

  /**
   * Lets a request wait for the call that has its key on another gateway.
   * @param execute called if there is no such call, and this gateway has the key
   */
  ask(request: AskingRequest, keyed: KeyedCall, claim: Claim, execute: () => void): Asking {
    let asked: AskedCall | null = null;
    let isOver = false;
    let owners = 0;
    const fail = () => {
      if (!isOver) request.fail(unavailable);
    };
    const askOwner = (owner: Claim) => {
      const free = () => {
        asked = null;
        if (!isOver) this.claim(keyed, owner).then(next, fail);
      };
      if (++owners > maxOwners) fail();
      else asked = new AskedCall(request, keyed, this.#other(owner.owner), free, fail);
    };
    const next = (other: Claim | null) => {
      if (isOver) return;
      if (other === null) execute();
      else askOwner(other);
    };
    askOwner(claim);
    return {
      cancel: () => {
        if (asked === null) request.fail(cancelled);
        else asked.cancel();
      },
      leave: () => {
        isOver = true;
        asked?.leave();
      },
    };
  }

  /** Whether a token names another gateway. */
  isElsewhere(token: string): boolean {
    const address = partOf(token);
    return address !== null && address !== this.address && this.#others.size < maxOthers;
  }

  /**
   * Lets a stream of another gateway go on here, for a client of this one.
   * @param seq the last Response that the client has received; null to go on under another request id with all that is
   * kept
   * @param begins called with it when it does; it waits until it is started
   * @param refused called if it does not
   */
  forward(
    { token, ...asked }: Pick<ForwardedStreamOptions, "requestId" | "token" | "seq" | "caller" | "channel">,
    begins: (stream: ForwardedStream) => void,
    refused: (reason: string) => void,
  ): void {
    if (!this.isElsewhere(token)) {
      refused("not_found");
      return;
    }
    const stream: ForwardedStream = new ForwardedStream({
      ...asked,
      token,
      other: this.#other(partOf(token) as string),
      answered: (reason) => (reason === null ? begins(stream) : refused(reason)),
    });
  }

  /** The gateway stops: it asks nothing more, and the others need not wait for it. */
  close(): void {
    this.#isClosed = true;
    this.#options.clock.clearTimeout(this.#timer);
    for (const other of [...this.#others.values()]) other.close();
    this.#options.peers()?.leave();
  }

  #other(address: string): OtherGateway {
    const known = this.#others.get(address);
    if (known !== undefined) return known;
    const { clock, peers } = this.#options;
    const other: OtherGateway = new OtherGateway({
      address,
      clock,
      peers,
      idle: () => {
        if (this.#others.get(address) === other) this.#others.delete(address);
      },
    });
    this.#others.set(address, other);
    return other;
  }

  /** One timer for all claims: they are made again before the store forgets them. */
  #watch(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#options.clock.setTimeout(() => {
      // The transport has reported it; later is early enough.
      this.#renew()
        .catch(() => undefined)
        .finally(() => {
          this.#timer = undefined;
          if (this.#options.keyedCalls.size > 0) this.#watch();
        });
    }, claimTtlMs / 3);
  }

  async #renew(): Promise<void> {
    const { clock, keyedCalls } = this.#options;
    const before = clock.now() - claimTtlMs / 3;
    for (const keyed of keyedCalls.all()) {
      if (keyed.claimed !== null && keyed.claimed.at <= before) await this.claim(keyed);
    }
  }
}

/** Tells nobody whose key it is. */
function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("base64url");
}
