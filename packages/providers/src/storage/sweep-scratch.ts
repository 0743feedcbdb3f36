import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** No stage runs this long, so what is older was left by a process that died. */
const LEFTOVER_AFTER_MS = 24 * 60 * 60 * 1000;

/** Removes leftovers of dead processes. Several processes may sweep at once. */
export async function sweepScratch(directory: string, now: number = Date.now()): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const modifiedAt = await stat(path).then(
      (found) => found.mtimeMs,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return null;
        throw error;
      },
    );
    if (modifiedAt !== null && now - modifiedAt > LEFTOVER_AFTER_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
