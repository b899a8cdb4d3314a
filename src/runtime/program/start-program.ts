import { isGenApiError, messageOf, toError } from "../../core/errors.ts";
import { systemClock } from "../../core/time/clock.ts";
import { openLog } from "../../telemetry/log/log.ts";
import type { LoggerOption } from "../../telemetry/log/logger.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";

const exception = telemetryEvent("program.start.exception");

interface Program {
  readonly name: string;
  readonly closed: Promise<unknown>;
  start(): Promise<void>;
  stop(): Promise<unknown>;
}

/**
 * Starts a program, or leaves nothing of it running, with its log open, so that its start is logged too. The log is
 * closed when the program has ended.
 *
 * @throws errors of its creation and start; GenApiError `invalid_option` if the log needs a package that is not
 * installed
 */
export async function startProgram<Made extends Program>(logger: LoggerOption, make: () => Made): Promise<Made> {
  const close = await openLog(logger);
  try {
    const program = make();
    try {
      await program.start();
    } catch (error) {
      tell(program.name, error);
      await program.stop();
      throw error;
    }
    void program.closed.then(close);
    return program;
  } catch (error) {
    close();
    throw error;
  }
}

/** Its stack is for whoever started the program; who reads the log needs one line. */
function tell(program: string, thrown: unknown): void {
  const error_code = isGenApiError(thrown) ? thrown.code : null;
  exception.emit(
    { system_time: systemClock.systemTime() },
    { program, error_code, reason: messageOf(toError(thrown)) },
  );
}
