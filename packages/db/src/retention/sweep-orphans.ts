import type { ListedFile, StorageKey, StoredKind } from "@clipmill/domain";
import type { Database } from "../database.ts";
import { FILE_TABLES, splitKey } from "./producers.ts";

export interface OrphanOptions {
  files: AsyncIterable<ListedFile>;
  kind: StoredKind;
  /** Only files that were last written before this. */
  writtenBefore: Date;
  /** Must leave a file that was written again at `writtenBefore` or later. */
  deleteFile(key: StorageKey, options: { writtenBefore: Date }): Promise<void>;
  signal: AbortSignal;
}

/** Few, so that little happens between the look for a row and the deletion. */
const BATCH = 50;

/**
 * Deletes stored files without a row: media that proved broken after it was stored, and files of a worker that died
 * before its result was committed. Returns how many.
 */
export async function sweepOrphans(
  { pool }: Pick<Database, "pool">,
  { files, kind, writtenBefore, deleteFile, signal }: OrphanOptions,
): Promise<number> {
  let deleted = 0;
  let batch: StorageKey[] = [];
  const sweepBatch = async () => {
    const { table, hash } = FILE_TABLES[kind];
    const { rows } = await pool.query<{ sha256: string }>({
      name: `find_orphans_${kind}`,
      text: `select f.sha256 from unnest($1::text[]) as f (sha256)
        where not exists (select 1 from ${table} t where t.${hash} = f.sha256 and t.removed_at is null)`,
      values: [batch.map((key) => splitKey(key).sha256)],
    });
    for (const { sha256 } of rows) await deleteFile(`${kind}/${sha256}`, { writtenBefore });
    deleted += rows.length;
    batch = [];
  };
  for await (const { key, writtenAt } of files) {
    if (signal.aborted) return deleted;
    if (writtenAt >= writtenBefore) continue;
    batch.push(key);
    if (batch.length === BATCH) await sweepBatch();
  }
  if (batch.length > 0) await sweepBatch();
  return deleted;
}
