import { libraryError } from "../../core/errors.ts";
import { refuseArgument } from "../../core/faults.ts";
import type { Groups } from "../../core/groups.ts";
import type { Serializer } from "../../protocol/serializer.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { type ChannelDefinition, topicMatcher } from "../channels/channel.ts";
import { isReservedEvent, reservedRule } from "../channels/channel-events.ts";
import type { JoinedChannel } from "../channels/joined-channel.ts";
import { type SharedFrame, sharedFrame } from "../outbound/text-frame.ts";
import { Deliveries, type Delivery } from "./deliveries.ts";
import type { BroadcastOptions, PushOptions } from "./push-options.ts";
import { pushPayload } from "./push-payload.ts";
import { isOf, type PushTarget, readTarget } from "./push-targets.ts";

const sendEvent = telemetryEvent("push.send");
const refuseEvent = telemetryEvent("push.refuse");

/** The part of a connection that pushes need. */
interface PushReceiver {
  /** Its joined channels, in the order in which they were joined. */
  readonly channels: readonly JoinedChannel[];
}

/** What {@link Pushes} needs. */
export interface PushesDeps {
  /** The gateway's name, for telemetry. */
  readonly gateway: string;
  /** In the order in which topics are matched. */
  readonly channels: readonly ChannelDefinition[];
  /** The joined channels, by topic. */
  readonly members: Groups<string, JoinedChannel>;
  readonly connectionsOf: (target: PushTarget) => readonly PushReceiver[];
  /** The largest payload, bytes of JSON. */
  readonly maxPushBytes: number;
}

// The memory of what waits to be sent: a gateway that sends 500 MB/s gets this sent within an eighth of a second.
const maxWaitingBytes = 64 * 1024 * 1024;
// What a push costs beside its payload.
const headWeight = 512;
const maxEventLength = 255;
const maxTopicLength = 1_024;

/**
 * Messages that the gateway sends to clients of its own accord. Each is sent at most once to each receiver, and in order
 * for each topic.
 */
export class Pushes {
  readonly #deps: PushesDeps;
  readonly #deliveries = new Deliveries(maxWaitingBytes);
  readonly #ownEvents: readonly string[];
  #accepted = 0;
  #refused = 0;
  #sent = 0;

  constructor(deps: PushesDeps) {
    this.#deps = deps;
    this.#ownEvents = [...new Set(deps.channels.map(({ event }) => event))];
  }

  /** Totals since the gateway started, and what waits. */
  get totals() {
    return {
      accepted: this.#accepted,
      refused: this.#refused,
      deliveries: this.#sent,
      waiting: this.#deliveries.waiting,
    };
  }

  /** See `Gateway.broadcast`. */
  broadcast(topic: string, event: string, payload?: unknown, { except }: BroadcastOptions = {}): void {
    checkText("broadcast", "topic", topic, maxTopicLength);
    const channel = this.#deps.channels.find((definition) => definition.matches(topic));
    if (channel === undefined) {
      throw libraryError("not_found", `broadcast: no channel of the gateway has the topic ${JSON.stringify(topic)}`);
    }
    checkEvent("broadcast", event, [channel.event]);
    const json = pushPayload("broadcast", payload, this.#deps.maxPushBytes);
    const without = except === undefined ? undefined : readTarget("broadcast: except", except);
    const frames = new Map<Serializer, SharedFrame>();
    this.#add("broadcast", topic, event, json, {
      receivers: () => this.#deps.members.of(topic),
      sendTo(receiver) {
        if (without !== undefined && isOf(without, receiver.assigns)) return;
        const { serializer } = receiver;
        let frame = frames.get(serializer);
        if (frame === undefined) {
          frame = sharedFrame(serializer.encode(null, null, topic, event, json));
          frames.set(serializer, frame);
        }
        receiver.sendFrame(frame);
      },
    });
  }

  /** See `Gateway.push`. */
  push(target: PushTarget, event: string, payload?: unknown, { topic }: PushOptions = {}): void {
    const to = readTarget("push: target", target);
    if (topic !== undefined) checkText("push", "topic", topic, maxTopicLength);
    const matches = topic === undefined ? () => true : topicMatcher(topic);
    checkEvent("push", event, this.#ownEvents);
    const json = pushPayload("push", payload, this.#deps.maxPushBytes);
    this.#add("push", topic ?? null, event, json, {
      receivers: () =>
        this.#deps
          .connectionsOf(to)
          .map(({ channels }) => channels.find((channel) => matches(channel.topic)))
          .filter((channel) => channel !== undefined),
      sendTo: (receiver) => receiver.pushEvent(event, json),
    });
  }

  #add(
    kind: "broadcast" | "push",
    topic: string | null,
    event: string,
    json: string,
    to: Pick<Delivery, "receivers" | "sendTo">,
  ): void {
    const names = { gateway: this.#deps.gateway, kind, topic, push_event: event };
    const delivery: Delivery = {
      ...to,
      lane: topic ?? "",
      weight: json.length * 2 + headWeight,
      before: null,
      after: null,
      sent: (receivers) => {
        this.#sent += receivers;
        if (sendEvent.active) sendEvent.emit({ receivers, bytes: json.length }, names);
      },
    };
    if (this.#deliveries.add(delivery)) {
      this.#accepted++;
      return;
    }
    this.#refused++;
    const { count, bytes } = this.#deliveries.waiting;
    refuseEvent.emit({ bytes: json.length }, names);
    throw libraryError(
      "unavailable",
      `${kind}: too much waits to be sent: ${count} pushes of ${bytes} bytes, at most ${maxWaitingBytes} may wait`,
      { canRetry: true },
    );
  }
}

function checkText(called: string, name: string, value: unknown, maxLength: number): void {
  const isRight = typeof value === "string" && value !== "" && value.length <= maxLength;
  refuseArgument(called, name, value, isRight, `a text of at most ${maxLength} characters`);
}

function checkEvent(called: string, event: unknown, own: readonly string[]): void {
  checkText(called, "event", event, maxEventLength);
  const isFree = !own.some((name) => isReservedEvent(event as string, name));
  refuseArgument(called, "event", event, isFree, `a name of your own: ${reservedRule}`);
}
