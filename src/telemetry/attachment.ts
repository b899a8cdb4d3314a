import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { systemClock } from "../core/clock.ts";
import { toError } from "../core/errors.ts";
import { isThenable } from "../core/within.ts";
import { channelOf, type EventName, type TelemetryMessage, telemetryEvent } from "./telemetry.ts";

/** Receives events. It runs in the middle of what it is told of: it should be quick. */
export type TelemetryHandler<Name extends EventName = EventName> = (message: TelemetryMessage<Name>) => void;

const handlerException = telemetryEvent("telemetry.handler.exception");

/**
 * A handler and the events that it is attached to. Node ends the process when a subscriber throws; here the handler is
 * detached instead, and whoever emitted notices nothing.
 */
export class Attachment {
  readonly handler: TelemetryHandler;
  readonly #channels: readonly string[];
  readonly #onDetached: (attachment: Attachment) => void;
  #isAttached = true;

  /** @param onDetached also runs when the handler failed */
  constructor(names: readonly EventName[], handler: TelemetryHandler, onDetached: (attachment: Attachment) => void) {
    this.handler = handler;
    this.#channels = [...new Set(names)].map(channelOf);
    this.#onDetached = onDetached;
    for (const channel of this.#channels) subscribe(channel, this.#receive);
  }

  /** From now on the handler receives nothing. */
  detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    this.#onDetached(this);
    for (const channel of this.#channels) unsubscribe(channel, this.#receive);
  }

  readonly #receive = (published: unknown): void => {
    if (!this.#isAttached) return;
    const message = published as TelemetryMessage;
    try {
      const returned: unknown = this.handler(message);
      if (isThenable(returned)) returned.then(undefined, (thrown: unknown) => this.#failed(message.event, thrown));
    } catch (thrown) {
      this.#failed(message.event, thrown);
    }
  };

  /** Detached first: it may be attached to the event by which this is told. */
  #failed(event: EventName, thrown: unknown): void {
    if (!this.#isAttached) return;
    this.detach();
    handlerException.emit({ system_time: systemClock.systemTime() }, { handled_event: event, error: toError(thrown) });
  }
}
