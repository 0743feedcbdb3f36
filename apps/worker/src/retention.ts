import { setTimeout as wait } from "node:timers/promises";
import { type Config, toStorageSettings } from "@clipmill/config";
import { type Database, sweepFiles } from "@clipmill/db";
import type { Log } from "@clipmill/domain";
import { createStorage } from "@clipmill/providers";

/** A round reads two indexes and deletes what is over; more often would free nothing sooner. */
const SWEEP_EVERY_MS = 10 * 60_000;

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
      deleteFile: storage.delete,
      signal,
    });
    if (counts.media + counts.audio > 0) log.info({ ...counts }, "stored files deleted");
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      // The next round tries again; what is not deleted costs disk and nothing else.
      await sweep().catch((error: unknown) => log.error({ err: error }, "retention failed"));
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
