// @ts-check
import { watch } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Reloads a service when its file was saved. It watches the folder, because many editors put a new file in the place of
 * the old one.
 *
 * @param {URL} file
 * @param {string} service
 * @param {{ reload(service: string, options: { force: boolean }): Promise<unknown> }} program a gateway or a service node
 * @returns {() => void} ends it
 */
export function reloadOnSave(file, service, program) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const name = file.pathname.split("/").at(-1);
  const watcher = watch(fileURLToPath(new URL(".", file)), (_event, changed) => {
    if (changed !== name) return;
    clearTimeout(timer);
    // Saving a file can take several steps.
    timer = setTimeout(reload, 50);
  });
  async function reload() {
    try {
      await program.reload(service, { force: true });
      console.log(`${service} was reloaded`);
    } catch (error) {
      console.error(String(error));
    }
  }
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
