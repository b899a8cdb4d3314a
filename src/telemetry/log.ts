import { systemClock } from "../core/clock.ts";
import { toError } from "../core/errors.ts";
import { isThenable } from "../core/within.ts";
import { Attachment } from "./attachment.ts";
import { eventNames } from "./event-names.ts";
import { type LogLevel, levelOf, levelsOf, logLevels, logLines } from "./log-lines.ts";
import { recordOf } from "./log-record.ts";
import { type Logger, type LoggerOption, loggerOf } from "./logger.ts";
import { type EventName, type TelemetryMessage, telemetryEvent } from "./telemetry.ts";

const handlerException = telemetryEvent("telemetry.handler.exception");

/** The lines that one logger is given, for as many programs of this process as named it. */
class Log {
  readonly #attachment: Attachment;
  #programs = 0;

  constructor(logger: Logger, onDetached: () => void) {
    const enabled = new Set(logLevels.filter((level) => logger.isLevelEnabled?.(level) ?? true));
    const names = eventNames.filter((name) => levelsOf(name).some((level) => enabled.has(level)));
    let isFailing = false;
    const written = (event: EventName): void => {
      if (event !== "telemetry.handler.exception") isFailing = false;
    };
    // A line is lost, not the log: a disk that was full may be empty again. Told once, to others than this logger.
    const failed = (event: EventName, thrown: unknown): void => {
      if (isFailing) return;
      isFailing = true;
      handlerException.emit(
        { system_time: systemClock.systemTime() },
        { handled_event: event, error: toError(thrown) },
      );
    };
    const write = (message: TelemetryMessage): void => {
      const level = levelOf(message);
      if (!enabled.has(level)) return;
      const { event } = message;
      try {
        const returned: unknown = logger[level](recordOf(message, level), logLines[event].message);
        if (isThenable(returned)) {
          returned.then(
            () => written(event),
            (thrown: unknown) => failed(event, thrown),
          );
        } else written(event);
      } catch (thrown) {
        failed(event, thrown);
      }
    };
    this.#attachment = new Attachment(names, write, onDetached);
  }

  /** @returns how the program leaves it */
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

const logs = new Map<LogLevel | Logger, Log>();

/**
 * Logs one line for each event whose level is enabled; of others nothing is measured. Events are the process's: programs
 * that name the same logger, or the same level, share one log, and no line comes twice.
 *
 * @returns how to end it
 * @throws GenApiError `invalid_option` where pino is needed and not installed
 */
export async function openLog(option: LoggerOption): Promise<() => void> {
  if (option === false) return () => undefined;
  const key = option === true ? "info" : option;
  const logger = await loggerOf(key);
  let log = logs.get(key);
  if (log === undefined) {
    log = new Log(logger, () => logs.delete(key));
    logs.set(key, log);
  }
  return log.join();
}
