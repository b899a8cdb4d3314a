import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { toError } from "../core/errors.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import { isThenable, whenRejected } from "../core/foreign/thenable.ts";
import { systemClock } from "../core/time/clock.ts";
import { channelOf, type EventName, type TelemetryMessage, telemetryEvent } from "./telemetry.ts";

/** Receives events. It runs synchronously in the middle of the reported work, so it should be quick. */
export type TelemetryHandler<Name extends EventName = EventName> = (message: TelemetryMessage<Name>) => void;

const handlerException = telemetryEvent("telemetry.handler.exception");

/**
 * A handler and the events that it is attached to. Node ends the process when a subscriber throws; here the handler is
 * detached instead, and whoever emitted notices nothing. What a handler itself causes while it runs, it is not given: one
 * that calls the gateway would be called again by what that call tells, without an end.
 */
export class Attachment {
  readonly handler: TelemetryHandler;
  readonly #channels: readonly string[];
  readonly #onDetached: (attachment: Attachment) => void;
  #isAttached = true;
  #isRunning = false;

  /** @param onDetached also runs when the handler failed */
  constructor(names: readonly EventName[], handler: TelemetryHandler, onDetached: (attachment: Attachment) => void) {
    this.handler = handler;
    this.#channels = [...new Set(names)].map(channelOf);
    this.#onDetached = onDetached;
    for (const channel of this.#channels) subscribe(channel, this.#receive);
  }

  /** Stops the handler from receiving events. */
  detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    this.#onDetached(this);
    for (const channel of this.#channels) unsubscribe(channel, this.#receive);
  }

  readonly #receive = (published: unknown): void => {
    if (!this.#isAttached || this.#isRunning) return;
    const message = published as TelemetryMessage;
    try {
      const returned = this.#run(message);
      if (isThenable(returned)) whenRejected(returned, (thrown) => this.#failed(message.event, thrown));
      else hearPromises(returned);
    } catch (thrown) {
      this.#failed(message.event, thrown);
    }
  };

  #run(message: TelemetryMessage): unknown {
    this.#isRunning = true;
    try {
      return this.handler(message);
    } finally {
      this.#isRunning = false;
    }
  }

  /** Detached first: it may be attached to the event by which this is told. */
  #failed(event: EventName, thrown: unknown): void {
    hearPromises(thrown);
    if (!this.#isAttached) return;
    this.detach();
    handlerException.emit({ system_time: systemClock.systemTime() }, { handled_event: event, error: toError(thrown) });
  }
}
