import { randomBytes } from "node:crypto";
import type { Msg, Subscription } from "@nats-io/transport-node";
import type { SharedPushes } from "../../sync/push/shared-pushes.ts";
import { farewells } from "../farewell.ts";
import type { GatewayEndpoint, Medium, TransportScope } from "../node-transport.ts";
import { SharedBucket } from "../pushes/shared-bucket.ts";
import { Broker } from "./broker.ts";
import type { BrokerLink } from "./broker-link.ts";
import { BucketStore } from "./bucket-store.ts";
import { encodeMessage, parseDiscover, parseOpen } from "./nats-messages.ts";
import { connectionOptions, type NatsSettings } from "./nats-options.ts";
import type { NatsPackages } from "./nats-packages.ts";
import { NatsPeers } from "./nats-peers.ts";
import { NatsPipe } from "./nats-pipe.ts";
import { Pulse } from "./pulse.ts";
import type { Subjects } from "./subjects.ts";
import { troubleReporter } from "./trouble.ts";

// A node has one pipe to a gateway, and briefly two when it returns after a loss.
const maxPipesPerNode = 8;
const maxPipes = 10_000;

/** A gateway on NATS: announces itself to nodes, and accepts the pipes that they ask for. */
export class NatsGateway implements GatewayEndpoint {
  readonly sharedPushes: SharedPushes;
  readonly peers: NatsPeers | undefined;
  readonly medium: Medium = { answers: async () => (await this.#pulse?.answersNow()) ?? false };
  readonly #settings: NatsSettings;
  readonly #subjects: Subjects;
  readonly #scope: TransportScope;
  readonly #troubled: (error: Error) => void;
  readonly #broker: Broker;
  readonly #bucket: SharedBucket;
  readonly #pipes = new Set<NatsPipe>();
  readonly #pipesByNode = new Map<string, number>();
  #link: BrokerLink | null = null;
  #pulse: Pulse | null = null;
  #instance = "";
  #subscriptions: Subscription[] = [];
  #timer: unknown;
  #isClosed = false;

  constructor(settings: NatsSettings, scope: TransportScope) {
    this.#settings = settings;
    this.#subjects = settings.subjects;
    this.#scope = scope;
    const troubled = troubleReporter(scope, settings.servers);
    this.#troubled = troubled;
    this.#bucket = new SharedBucket({ settings, clock: scope.clock, random: scope.random, troubled });
    this.sharedPushes = this.#bucket;
    if (scope.peer !== undefined) this.peers = new NatsPeers(settings, scope.peer, scope.clock, troubled);
    this.#broker = new Broker({
      connection: { ...connectionOptions(settings), name: `gen-api gateway ${scope.name}` },
      isLoopback: settings.isLoopback,
      hasToken: scope.hasToken,
      clock: scope.clock,
      random: scope.random,
      connected: (link, packages) => this.#connected(link, packages),
      lost: (reason) => this.#lost(reason),
      troubled,
      failed: (error) => scope.fail(error),
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const pipe of [...this.#pipes]) pipe.close(farewells.gateway);
    this.#lost(farewells.gateway);
    this.#broker.close();
  }

  #connected(link: BrokerLink, packages: NatsPackages): void {
    this.#link = link;
    this.#instance = randomBytes(16).toString("base64url");
    const subscribe = (subject: string, hear: (message: Msg) => void) =>
      link.subscribe(subject, (error, message) => {
        if (error !== null) this.#troubled(error);
        // Messages of a connection that is lost no longer matter.
        else if (this.#link === link) hear(message);
      });
    this.#subscriptions = [
      subscribe(this.#subjects.open(this.#instance), (message) => this.#open(message, link)),
      subscribe(this.#subjects.discover(), (message) => this.#discovered(message, link)),
    ];
    this.peers?.connected(link, packages);
    this.#scope.reached?.();
    this.#pulse = new Pulse({
      clock: this.#scope.clock,
      ping: () => link.ping(),
      changed: (answers) => this.#pulseChanged(answers),
    });
    this.#announce();
    this.#bucket.connected(() => BucketStore.open(link, packages, this.#settings));
  }

  /** A server that hangs is as good as lost; when it continues, messages of others may have been missed. */
  #pulseChanged(answers: boolean): void {
    if (answers) {
      this.#scope.reached?.();
      this.#bucket.readAgain();
    } else {
      this.#scope.cutOff?.("the NATS server does not answer");
    }
  }

  #lost(reason: string): void {
    this.#pulse?.close();
    this.#pulse = null;
    if (this.#link !== null && !this.#isClosed) this.#scope.cutOff?.(reason);
    this.#link = null;
    this.#scope.clock.clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions = [];
    for (const pipe of [...this.#pipes]) pipe.end(reason);
    this.#bucket.lost();
    this.peers?.lost(reason);
  }

  #announce(): void {
    const { clock } = this.#scope;
    this.#link?.publish(this.#subjects.gateways, this.#announcement());
    this.#timer = clock.setTimeout(() => this.#announce(), this.#settings.announceMs);
  }

  #announcement(): Uint8Array {
    const everyMs = this.#settings.announceMs;
    return encodeMessage({ gateway: this.#scope.name, instance: this.#instance, everyMs });
  }

  /** Answers only the node that has just connected: many of them may come at once. */
  #discovered(message: Msg, link: BrokerLink): void {
    const node = this.#subjects.senderOf(message.subject);
    const asked = parseDiscover(message.data);
    if (node === null || asked === null) return;
    link.publish(this.#subjects.gatewayFor(node, asked.instance), this.#announcement());
  }

  #open(message: Msg, link: BrokerLink): void {
    const node = this.#subjects.senderOf(message.subject);
    const asked = parseOpen(message.data);
    if (node === null || asked === null) return;
    const outward = this.#subjects.down(node, asked.instance, asked.session);
    const ofNode = this.#pipesByNode.get(node) ?? 0;
    const pipe = new NatsPipe({
      link,
      peer: `${node} over NATS`,
      peerName: node,
      inward: this.#subjects.up(node, this.#instance, asked.session),
      outward,
      ended: (ended) => this.#ended(node, ended),
    });
    this.#pipes.add(pipe);
    this.#pipesByNode.set(node, ofNode + 1);
    if (ofNode >= maxPipesPerNode || this.#pipes.size > maxPipes) {
      pipe.close("the gateway has too many pipes");
    } else {
      pipe.accept();
      pipe.receiveWith(this.#scope.connected(pipe));
    }
  }

  #ended(node: string, pipe: NatsPipe): void {
    this.#pipes.delete(pipe);
    const left = (this.#pipesByNode.get(node) ?? 1) - 1;
    if (left === 0) this.#pipesByNode.delete(node);
    else this.#pipesByNode.set(node, left);
  }
}
