import { setTimeout as wait } from "node:timers/promises";
import { type Config, toStorageSettings } from "@clipmill/config";
import { type Database, sweepFiles, sweepOrphans } from "@clipmill/db";
import type { Log } from "@clipmill/domain";
import { fileProducers } from "@clipmill/pipeline";
import { createStorage } from "@clipmill/providers";

/** A round reads two indexes and deletes what is over; more often would free nothing sooner. */
const SWEEP_EVERY_MS = 10 * 60_000;

/** Files that no row knows are looked for an hour after the start and then daily: it means to list them all. */
const ORPHANS_AT_ROUND = 6;
const ORPHANS_EVERY_ROUNDS = 144;

/** A user's own file has no row until its job runs, and a backlog may take days. */
const ORPHAN_AFTER_MS = 7 * 24 * 60 * 60_000;

/** Deletes stored files that are too old or too many, until closed. */
export async function startRetention(
  config: Config,
  database: Database,
  log: Log,
): Promise<{ close(): Promise<void> }> {
  const storage = await createStorage(toStorageSettings(config));
  const abort = new AbortController();
  const { signal } = abort;

  async function sweep(): Promise<void> {
    const counts = await sweepFiles(database, {
      mediaDays: config.RETAIN_MEDIA_DAYS,
      audioDays: config.RETAIN_AUDIO_DAYS,
      maxBytes: config.RETAIN_MEDIA_BYTES,
      producers: fileProducers,
      deleteFile: storage.delete,
      signal,
    });
    if (counts.media + counts.audio > 0) log.info({ ...counts }, "stored files deleted");
  }

  async function dropOrphans(): Promise<void> {
    const writtenBefore = new Date(Date.now() - ORPHAN_AFTER_MS);
    for (const kind of ["media", "audio"] as const) {
      const files = storage.list(kind);
      const deleteFile = storage.delete;
      const options = { files, kind, writtenBefore, deleteFile, signal };
      const orphans = await sweepOrphans(database, options);
      if (orphans > 0) log.info({ kind, orphans }, "stored files deleted that nothing knew");
    }
  }

  async function run(): Promise<void> {
    for (let round = 0; !signal.aborted; round++) {
      // The next round tries again; what is not deleted costs disk and nothing else.
      const report = (error: unknown) => log.error({ err: error }, "retention failed");
      await sweep().catch(report);
      if (round % ORPHANS_EVERY_ROUNDS === ORPHANS_AT_ROUND) await dropOrphans().catch(report);
      await wait(SWEEP_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }

  const loop = run();
  return {
    async close() {
      abort.abort();
      await loop;
    },
  };
}
