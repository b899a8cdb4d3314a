import { toError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { isThenable, settle } from "../../core/foreign/thenable.ts";
import { systemClock } from "../../core/time/clock.ts";
import { Quota } from "../../core/time/quota.ts";
import { Attachment } from "../attachment.ts";
import { eventNames } from "../event-names.ts";
import { type EventName, type TelemetryMessage, telemetryEvent } from "../telemetry.ts";
import { type LogLevel, levelOf, levelsOf, logLevels, logLines } from "./log-lines.ts";
import { recordOf } from "./log-record.ts";
import type { Logger, LoggerOption } from "./logger.ts";
import { loggerOf } from "./open-logger.ts";

const handlerException = telemetryEvent("telemetry.handler.exception");

/** The lines for one logger, shared by all programs of this process that use it. */
class Log {
  readonly #attachment: Attachment;
  /** For events that clients can trigger at will. */
  readonly #quotas = new Map<EventName, Quota>();
  #programs = 0;

  /** @param isSilent called for each line */
  constructor(logger: Logger, isSilent: () => boolean, onDetached: () => void) {
    const enabled = new Set(logLevels.filter((level) => logger.isLevelEnabled?.(level) ?? true));
    const names = eventNames.filter((name) => levelsOf(name).some((level) => enabled.has(level)));
    let isFailing = false;
    const written = (event: EventName): void => {
      if (event !== "telemetry.handler.exception") isFailing = false;
    };
    // Only the line is lost, not the log: a full disk may have room again. Reported once, and not to this logger.
    const failed = (event: EventName, thrown: unknown): void => {
      hearPromises(thrown);
      if (isFailing) return;
      isFailing = true;
      handlerException.emit(
        { system_time: systemClock.systemTime() },
        { handled_event: event, error: toError(thrown) },
      );
    };
    const write = (message: TelemetryMessage): void => {
      const level = levelOf(message, this.#isOften);
      if (!enabled.has(level) || isSilent()) return;
      const { event } = message;
      try {
        const method: unknown = logger[level];
        // It may be a promise by now, whose rejection nobody else would hear.
        if (typeof method !== "function") hearPromises(method);
        const line = [recordOf(message, level), logLines[event].message] as const;
        const returned: unknown = Reflect.apply(method as Logger[LogLevel], logger, line);
        if (isThenable(returned)) {
          settle(
            returned,
            (value) => {
              hearPromises(value);
              written(event);
            },
            (thrown) => failed(event, thrown),
          );
        } else {
          hearPromises(returned);
          written(event);
        }
      } catch (thrown) {
        failed(event, thrown);
      }
    };
    this.#attachment = new Attachment(names, write, onDetached);
  }

  readonly #isOften = (event: EventName, maxPerMinute: number): boolean => {
    let quota = this.#quotas.get(event);
    if (quota === undefined) {
      quota = new Quota(maxPerMinute, 60_000, systemClock);
      this.#quotas.set(event, quota);
    }
    return !quota.take();
  };

  /** @returns a function by which the program leaves it */
  join(): () => void {
    this.#programs++;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#programs--;
      if (this.#programs === 0) this.#attachment.detach();
    };
  }
}

const logs = new Map<"stderr" | LogLevel | Logger, Log>();

/**
 * Logs one line for each event whose level is enabled; other events are not measured. Events belong to the process:
 * programs with the same logger, or the same level, share one log, so that no line comes twice. If the process has
 * another log too, stderr gets nothing.
 *
 * @returns a function that ends it
 * @throws GenApiError `invalid_option` if pino is needed and not installed
 */
export async function openLog(option: LoggerOption): Promise<() => void> {
  if (option === false) return () => undefined;
  const key = option === true ? "info" : option;
  const logger = await loggerOf(key);
  let log = logs.get(key);
  if (log === undefined) {
    const isSilent = key === "stderr" ? () => logs.size > 1 : () => false;
    log = new Log(logger, isSilent, () => logs.delete(key));
    logs.set(key, log);
  }
  return log.join();
}
