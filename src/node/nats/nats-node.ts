import { randomBytes } from "node:crypto";
import type { Subscription } from "@nats-io/transport-node";
import { farewells } from "../farewell.ts";
import type { Endpoint, TransportScope } from "../node-transport.ts";
import { Broker } from "./broker.ts";
import type { BrokerLink } from "./broker-link.ts";
import { encodeMessage, parseAnnouncement } from "./nats-messages.ts";
import { connectionOptions, type NatsSettings } from "./nats-options.ts";
import { NodeDial } from "./node-dial.ts";
import { troubleReporter } from "./trouble.ts";

const maxGateways = 256;

// Every node hears a starting gateway at the same time; they spread their answers.
const spreadMs = 250;

/** A service node on NATS: keeps a pipe to every gateway that it hears of. */
export class NatsNode implements Endpoint {
  readonly #settings: NatsSettings;
  readonly #scope: TransportScope;
  readonly #troubled: (error: Error) => void;
  readonly #broker: Broker;
  /** By the gateways' instances. */
  readonly #gateways = new Map<string, NodeDial>();
  #link: BrokerLink | null = null;
  #instance = "";
  #subscriptions: Subscription[] = [];

  constructor(settings: NatsSettings, scope: TransportScope) {
    this.#settings = settings;
    this.#scope = scope;
    this.#troubled = troubleReporter(scope, settings.servers);
    this.#broker = new Broker({
      connection: { ...connectionOptions(settings), name: `gen-api node ${scope.name}` },
      isLoopback: settings.isLoopback,
      hasToken: scope.hasToken,
      clock: scope.clock,
      random: scope.random,
      connected: (link) => this.#connected(link),
      lost: (reason) => this.#lost(reason),
      troubled: this.#troubled,
      failed: (error) => scope.fail(error),
    });
  }

  close(): void {
    for (const gateway of this.#gateways.values()) gateway.close(farewells.node);
    this.#lost(farewells.node);
    this.#broker.close();
  }

  #connected(link: BrokerLink): void {
    const { subjects } = this.#settings;
    const { name } = this.#scope;
    this.#link = link;
    this.#instance = randomBytes(16).toString("base64url");
    const subscribe = (subject: string, withinMs: number) =>
      link.subscribe(subject, (error, message) => {
        if (error !== null) this.#troubled(error);
        else if (this.#link === link) this.#heard(message.data, link, withinMs);
      });
    this.#subscriptions = [
      subscribe(subjects.gateways, spreadMs),
      subscribe(subjects.gatewayFor(name, this.#instance), 0),
    ];
    link.publish(subjects.discover(name), encodeMessage({ instance: this.#instance }));
  }

  #heard(data: Uint8Array, link: BrokerLink, withinMs: number): void {
    const announcement = parseAnnouncement(data);
    if (announcement === null) return;
    const { instance } = announcement;
    const known = this.#gateways.get(instance);
    known?.heard();
    if (known !== undefined || this.#gateways.size >= maxGateways) return;
    const gateway = new NodeDial({
      link,
      subjects: this.#settings.subjects,
      scope: this.#scope,
      nodeInstance: this.#instance,
      announcement,
      forgotten: () => this.#gateways.delete(instance),
    });
    this.#gateways.set(instance, gateway);
    gateway.dialWithin(withinMs);
  }

  #lost(reason: string): void {
    this.#link = null;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions = [];
    for (const gateway of this.#gateways.values()) gateway.end(reason);
    this.#gateways.clear();
  }
}
