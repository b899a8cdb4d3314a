import { randomBytes } from "node:crypto";
import type { Msg, Subscription } from "@nats-io/transport-node";
import { libraryError, toError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import { farewells } from "../farewell.ts";
import { PeerSession } from "../peers/peer-session.ts";
import { PeerSigner } from "../peers/peer-signer.ts";
import type { Claim, PeerEnd, PeerPipe, PeerReceiver, PeerScope, Peers } from "../peers/peers.ts";
import type { BrokerLink } from "./broker-link.ts";
import { ClaimBucket } from "./claim-bucket.ts";
import { encodeMessage, parseOpen } from "./nats-messages.ts";
import type { NatsSettings } from "./nats-options.ts";
import type { NatsPackages } from "./nats-packages.ts";
import { NatsPipe, noListener } from "./nats-pipe.ts";
import { isInstance } from "./subjects.ts";

// A gateway opens one pipe to each other one; more come only from what is none.
const maxPipes = 1_000;

// Stopped gateways are remembered, so that nobody waits for them.
const maxGone = 1_000;

/** The other gateways on NATS. */
export class NatsPeers implements Peers {
  readonly #settings: NatsSettings;
  readonly #scope: PeerScope;
  readonly #clock: Clock;
  readonly #signer: PeerSigner;
  readonly #troubled: (error: Error) => void;
  readonly #pipes = new Set<NatsPipe>();
  readonly #gone = new Set<string>();
  #accepted = 0;
  #link: BrokerLink | null = null;
  #packages: NatsPackages | null = null;
  #claims: Promise<ClaimBucket> | null = null;
  #subscriptions: Subscription[] = [];

  constructor(settings: NatsSettings, scope: PeerScope, clock: Clock, troubled: (error: Error) => void) {
    this.#settings = settings;
    this.#scope = scope;
    this.#clock = clock;
    this.#signer = new PeerSigner(settings.signingKeys);
    this.#troubled = troubled;
  }

  connected(link: BrokerLink, packages: NatsPackages): void {
    this.#link = link;
    this.#packages = packages;
    const { subjects } = this.#settings;
    const subscribe = (subject: string, hear: (message: Msg) => void) =>
      link.subscribe(subject, (error, message) => {
        if (error !== null) this.#troubled(error);
        else if (this.#link === link) hear(message);
      });
    this.#subscriptions = [
      subscribe(subjects.openPeer(this.#scope.address), (message) => this.#open(message, link)),
      subscribe(subjects.peerGone, (message) => this.#heardGone(message.data)),
    ];
  }

  lost(reason: string): void {
    this.#link = null;
    this.#claims = null;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions = [];
    for (const pipe of [...this.#pipes]) pipe.end(reason);
  }

  /** This gateway stops for good: the others need not wait for it. */
  leave(): void {
    const { subjects } = this.#settings;
    this.#link?.publish(subjects.peerGone, this.#signer.sign(goneContext, this.#scope.address));
    for (const pipe of [...this.#pipes]) pipe.close(farewells.gateway);
  }

  dial(address: string, receiver: PeerReceiver): PeerPipe {
    const link = this.#link;
    if (link === null) return failed(this.#clock, receiver, { reason: "NATS cannot be reached", other: "unknown" });
    if (!isInstance(address)) return failed(this.#clock, receiver, { reason: "no such gateway", other: "absent" });
    const { subjects } = this.#settings;
    const name = randomBytes(16).toString("base64url");
    const session = PeerSession.dial(this.#optionsOf(name, address, link), receiver);
    const pipe = new NatsPipe({
      link,
      peer: `gateway ${address} over NATS`,
      inward: subjects.peer(this.#scope.address, name),
      outward: subjects.peer(address, name),
      ended: (ended) => {
        this.#pipes.delete(ended);
        // It may end before it is accepted, and heard.
        session.closed(ended.reason);
      },
    });
    this.#pipes.add(pipe);
    session.over(pipe);
    const payload = encodeMessage({ instance: this.#scope.address, session: name });
    pipe.request(subjects.openPeer(address), payload, () => pipe.receiveWith(session));
    return session;
  }

  async claim(key: string, revision: number): Promise<Claim> {
    const link = this.#link;
    const packages = this.#packages;
    if (link === null || packages === null) throw libraryError("unavailable", "NATS cannot be reached");
    this.#claims ??= ClaimBucket.open(link, packages, this.#settings, this.#signer, this.#scope.address);
    const opening = this.#claims;
    try {
      return await (await opening).claim(key, revision);
    } catch (thrown) {
      // It is opened again for the next key.
      if (this.#claims === opening) this.#claims = null;
      this.#troubled(toError(thrown));
      throw thrown;
    }
  }

  #open(message: Msg, link: BrokerLink): void {
    const asked = parseOpen(message.data);
    if (asked === null || this.#accepted >= maxPipes) return;
    const { subjects } = this.#settings;
    this.#accepted++;
    const pipe = new NatsPipe({
      link,
      peer: `gateway ${asked.instance} over NATS`,
      inward: subjects.peer(this.#scope.address, asked.session),
      outward: subjects.peer(asked.instance, asked.session),
      ended: (ended) => {
        if (this.#pipes.delete(ended)) this.#accepted--;
      },
    });
    this.#pipes.add(pipe);
    pipe.accept();
    const options = this.#optionsOf(asked.session, asked.instance, link, this.#scope.address);
    pipe.receiveWith(PeerSession.accept(options, pipe, (peer) => this.#scope.accepted(peer)));
  }

  #optionsOf(session: string, address: string, link: BrokerLink, acceptor = address) {
    return {
      signer: this.#signer,
      clock: this.#clock,
      name: this.#settings.subjects.peer(acceptor, session),
      other: (reason: string): PeerEnd["other"] => {
        if (this.#gone.has(address)) return "gone";
        return this.#link === link && reason === noListener ? "absent" : "unknown";
      },
    };
  }

  #heardGone(data: Uint8Array): void {
    const address = this.#signer.read(goneContext, data);
    if (address === null || address === this.#scope.address) return;
    this.#gone.add(address);
    for (const oldest of this.#gone) {
      if (this.#gone.size <= maxGone) break;
      this.#gone.delete(oldest);
    }
  }
}

const goneContext = "gone";

/** A pipe that does not open. */
function failed(clock: Clock, receiver: PeerReceiver, end: PeerEnd): PeerPipe {
  const timer = clock.setTimeout(() => receiver.closed(end), 0);
  return { send: () => undefined, close: () => clock.clearTimeout(timer) };
}
