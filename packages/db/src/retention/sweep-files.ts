import type { FileProducers, StorageKey, StoredKind } from "@clipmill/domain";
import { type Database, type Queryable, withTransaction } from "../database.ts";
import { createProducerQuery, FILE_TABLES, type ProducerQuery } from "./producers.ts";

export interface RetentionOptions {
  /** Downloaded files older than this are deleted; 0 keeps them for ever. */
  mediaDays: number;
  /** The same for the audio made from them. */
  audioDays: number;
  /** At most this many bytes of both together; 0 sets no limit. */
  maxBytes: number;
  /** Which stages make the files. A file stays while an open request needs the job that made it. */
  producers: FileProducers;
  /** Deletes a stored file. Must not fail if there is none. */
  deleteFile(key: StorageKey): Promise<void>;
  /** Stops the sweep between two batches. */
  signal: AbortSignal;
}

export interface RetentionCounts {
  media: number;
  audio: number;
  bytes: number;
}

/** Files in one transaction: bounds how long their rows are locked. */
const BATCH = 50;

/**
 * Deletes stored files by age, then by total size, the oldest first, media before audio. Texts stay, and so do files
 * that an open request needs. A file that is needed later is made again: see `createRefetch`. Any number of processes
 * may sweep at once.
 */
export async function sweepFiles(
  { pool }: Pick<Database, "pool">,
  options: RetentionOptions,
): Promise<RetentionCounts> {
  const counts: RetentionCounts = { media: 0, audio: 0, bytes: 0 };
  const sweep = async (kind: StoredKind, limits: { days: number; bytes: number }) => {
    const madeBy = createProducerQuery(kind, options.producers);
    const { files, bytes } = await sweepKind(pool, kind, { ...limits, ...options, madeBy });
    counts[kind] += files;
    counts.bytes += bytes;
  };
  const { mediaDays, audioDays, maxBytes } = options;
  const all = Number.POSITIVE_INFINITY;
  if (mediaDays > 0) await sweep("media", { days: mediaDays, bytes: all });
  if (audioDays > 0) await sweep("audio", { days: audioDays, bytes: all });
  if (maxBytes === 0) return counts;
  for (const kind of ["media", "audio"] as const) {
    const excess = (await countBytes(pool)) - maxBytes;
    if (excess > 0) await sweep(kind, { days: 0, bytes: excess });
  }
  return counts;
}

/** The bytes of all files that are stored now, each once. Reads only the two indexes. */
async function countBytes(tx: Queryable): Promise<number> {
  const { rows } = await tx.query<{ bytes: number }>({
    name: "count_stored_bytes",
    text: `select (coalesce((select sum(bytes) from media where removed_at is null), 0)
      + coalesce((
        select sum(bytes) from (
          select distinct audio_sha256, bytes from prepared_audio where removed_at is null) file), 0))::float8 as bytes`,
  });
  return rows[0]?.bytes ?? 0;
}

interface Sweep extends Pick<RetentionOptions, "deleteFile" | "signal"> {
  /** Only files older than this. */
  days: number;
  /** Ends when this many bytes are freed. */
  bytes: number;
  madeBy: ProducerQuery;
}

/** The last file of a batch. The next batch begins after it, so that files that are kept are looked at only once. */
interface Cursor {
  storedAt: string;
  sha256: string;
}

async function sweepKind(
  pool: Database["pool"],
  kind: StoredKind,
  sweep: Sweep,
): Promise<{ files: number; bytes: number }> {
  let cursor: Cursor | null = { storedAt: "-infinity", sha256: "" };
  const freed = { files: 0, bytes: 0 };
  while (cursor !== null && freed.bytes < sweep.bytes && !sweep.signal.aborted) {
    const from: Cursor = cursor;
    const rest = { ...sweep, bytes: sweep.bytes - freed.bytes };
    // After a deadlock this runs again; deleting a file twice does no harm.
    const batch = await withTransaction(pool, (tx) => sweepBatch(tx, kind, from, rest));
    freed.files += batch.files;
    freed.bytes += batch.bytes;
    cursor = batch.next;
  }
  return freed;
}

/**
 * Deletes files before it marks their rows. So a crash in between leaves a row without a file, which the next sweep
 * marks, and never a file without a row.
 */
async function sweepBatch(
  tx: Queryable,
  kind: StoredKind,
  cursor: Cursor,
  { days, bytes: wanted, madeBy, deleteFile }: Sweep,
): Promise<{ files: number; bytes: number; next: Cursor | null }> {
  const { table, hash } = FILE_TABLES[kind];
  const { rows } = await tx.query<Cursor & { bytes: number; needed: boolean }>({
    name: `lock_old_${kind}`,
    text: `select f.sha256, f.bytes, f.stored_at::text as "storedAt", ${madeBy.isNeeded("$4")} as needed
      from (
        select ${hash} as sha256, bytes, stored_at from ${table}
        where removed_at is null and stored_at < now() - make_interval(secs => $1::float8 * 86400)
          and (stored_at, ${hash}) > ($2::timestamptz, $3::text)
        order by stored_at, ${hash}
        limit ${BATCH}
        for update skip locked) f
      order by f.stored_at, f.sha256`,
    values: [days, cursor.storedAt, cursor.sha256, madeBy.stage],
  });
  let bytes = 0;
  const removed = new Set<string>();
  for (const row of rows) {
    if (bytes >= wanted) break;
    if (row.needed || removed.has(row.sha256)) continue;
    removed.add(row.sha256);
    bytes += row.bytes;
  }
  await Promise.all([...removed].map((sha256) => deleteFile(`${kind}/${sha256}`)));
  await tx.query({
    name: `mark_removed_${kind}`,
    text: `update ${table} set removed_at = now() where ${hash} = any ($1::text[]) and removed_at is null`,
    values: [[...removed]],
  });
  const last = rows.at(-1);
  return { files: removed.size, bytes, next: rows.length < BATCH ? null : (last ?? null) };
}
