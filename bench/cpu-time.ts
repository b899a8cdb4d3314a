import { readdirSync, readFileSync } from "node:fs";

/** The CPU time that all threads of a process have used until now, microseconds; NaN where the system does not tell. */
export function cpuMicrosOf(pid: number): number {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks).reduce((sum, task) => sum + ranMicros(`${tasks}/${task}`), 0);
  } catch {
    return Number.NaN;
  }
}

/** The CPU time that this process's main thread has used until now, microseconds; NaN where the system does not tell. */
export function mainThreadMicros(): number {
  try {
    return ranMicros("/proc/self");
  } catch {
    return Number.NaN;
  }
}

function ranMicros(directory: string): number {
  return Number.parseInt(readFileSync(`${directory}/schedstat`, "latin1"), 10) / 1_000;
}
