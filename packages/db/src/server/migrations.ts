import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MIGRATIONS_DIRECTORY = fileURLToPath(
  new URL("../../../../migrations", import.meta.url),
);

export interface Migration {
  /** Counted from 0; the number before its file's name. */
  index: number;
  /** Such as `0005_kinds_and_waits`. */
  tag: string;
  /** When it was written, ms since the epoch: by this the record of what was applied names it. */
  writtenAt: number;
}

/** All migrations that this program knows, the oldest first. */
export function loadMigrations(): Migration[] {
  const journal = JSON.parse(
    readFileSync(join(MIGRATIONS_DIRECTORY, "meta/_journal.json"), "utf8"),
  ) as { entries: { idx: number; tag: string; when: number }[] };
  return journal.entries.map(({ idx, tag, when }) => ({ index: idx, tag, writtenAt: when }));
}
