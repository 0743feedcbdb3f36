import { openSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const ROTATE_OVER_BYTES = 5_000_000;

export interface ServerLog {
  path: string;
  /** For the server's stdout and stderr; whoever opened it closes it. */
  fd: number;
  /** The last lines of this run. */
  tail(): string;
}

/** Opens the server's log for one run. Rotated at the start of a run: the server logs warnings only. */
export function openServerLog(directory: string): ServerLog {
  const path = join(directory, "postgres.log");
  let startsAt = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (startsAt > ROTATE_OVER_BYTES) {
    renameSync(path, `${path}.1`);
    startsAt = 0;
  }
  const fd = openSync(path, "a", 0o600);
  const tail = () => {
    try {
      const text = readFileSync(path).subarray(startsAt).toString("utf8");
      return text.trim().split("\n").slice(-5).join("\n");
    } catch (error) {
      // Read when the server has ended: with its directory taken away, that is all there is to tell.
      return `no log: ${(error as Error).message}`;
    }
  };
  return { path, fd, tail };
}
