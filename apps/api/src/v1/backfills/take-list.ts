import type { Backfill, BackfillChunk, BackfillStore } from "@clipmill/db";
import { ClipmillError, parseLink, type Submission } from "@clipmill/domain";
import type { LinkText } from "./read-links.ts";

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
  links: AsyncIterable<readonly LinkText[]>,
  options: ListOptions,
): Promise<Backfill> {
  let skipCount = begun.lineCount;
  let chunk: LinkText[] = [];
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
    for await (const batch of links) {
      const skipped = Math.min(skipCount, batch.length);
      skipCount -= skipped;
      for (const link of skipped === 0 ? batch : batch.slice(skipped)) {
        chunk.push(link);
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

function toChunk(items: readonly LinkText[], options: ListOptions): BackfillChunk {
  const submissions: Submission[] = [];
  for (const text of items) {
    const link = text === null ? null : findLink(text);
    if (link !== null) submissions.push({ ...options, ...link });
  }
  return { submissions, invalidCount: items.length - submissions.length };
}

function findLink(text: string): Pick<Submission, "link" | "postId"> | null {
  try {
    const link = parseLink(text);
    return { link: link.url, postId: link.kind === "post" ? link.awemeId : null };
  } catch (error) {
    if (error instanceof ClipmillError) return null;
    throw error;
  }
}
