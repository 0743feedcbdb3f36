import type { Backfill, BackfillChunk, BackfillStore, InvalidLine } from "@clipmill/db";
import type { Submission } from "@clipmill/domain";
import type { ListItem } from "./list/list-item.ts";

/** A commit is spread over this many links: at 1,000 it is a twentieth of their time. More only hold locks longer, and memory. */
const CHUNK_ITEMS = 1_000;

/** What the links of a list have in common. */
export type ListOptions = Omit<Submission, "link" | "postId">;

/**
 * Stores a list as it arrives, behind what was stored of it before. One chunk is committed while the next one is
 * read and prepared, and no more is held in memory: a sender that is faster waits.
 */
export async function takeList(
  backfills: BackfillStore,
  begun: Backfill,
  items: AsyncIterable<readonly ListItem[]>,
  options: ListOptions,
): Promise<Backfill> {
  let skipCount = begun.lineCount;
  let chunk: ListItem[] = [];
  let after = begun;
  let stored = Promise.resolve();
  // A failure is thrown where it is awaited; until then it is nobody's unhandled rejection.
  const store = async () => {
    const prepared = backfills.prepare(begun, toChunk(chunk, options));
    chunk = [];
    await stored;
    stored = backfills.append(after, prepared).then((moved) => void (after = moved));
    stored.catch(() => {});
  };
  try {
    for await (const batch of items) {
      const skipped = Math.min(skipCount, batch.length);
      skipCount -= skipped;
      for (const item of skipped === 0 ? batch : batch.slice(skipped)) {
        chunk.push(item);
        if (chunk.length === CHUNK_ITEMS) await store();
      }
    }
    if (chunk.length > 0) await store();
    await stored;
    return await backfills.end(after, "accepted");
  } catch (error) {
    // What was committed stays. If this does not succeed either, the list stays `accepting` and can be gone on with.
    await Promise.allSettled([stored]);
    await Promise.allSettled([backfills.end(after, "interrupted")]);
    throw error;
  }
}

function toChunk(items: readonly ListItem[], options: ListOptions): BackfillChunk {
  const submissions: Submission[] = [];
  const invalid: InvalidLine[] = [];
  for (const item of items) {
    if ("reason" in item) {
      invalid.push(item);
      continue;
    }
    const { link } = item;
    const postId = link.kind === "post" ? link.awemeId : null;
    submissions.push({ ...options, link: link.url, postId });
  }
  return { submissions, invalidCount: invalid.length, invalid };
}
