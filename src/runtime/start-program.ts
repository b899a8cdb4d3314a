import { openLog } from "../telemetry/log.ts";
import type { LoggerOption } from "../telemetry/logger.ts";

interface Program {
  readonly closed: Promise<unknown>;
  start(): Promise<void>;
  stop(): Promise<unknown>;
}

/**
 * Starts a program, or leaves nothing of it running, with its log open, so that its start is logged too. The log is closed
 * when the program has ended.
 *
 * @throws what its making and its start throw; GenApiError `invalid_option` where the log needs a package that is not
 * installed
 */
export async function startProgram<Made extends Program>(logger: LoggerOption, make: () => Made): Promise<Made> {
  const close = await openLog(logger);
  try {
    const program = make();
    try {
      await program.start();
    } catch (error) {
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
