import { RetryableError } from "./errors/errors.ts";

/** A part of a list of somebody else. Its length says nothing: pages may be smaller than asked for, or empty. */
export interface Page<T> {
  items: T[];
  /** Where the next page starts; opaque. Null on the last page. */
  cursor: string | null;
}

/** So many empty pages in a row are the end, whatever the upstream says of more. */
const EMPTY_PAGES_MAX = 3;

/**
 * All pages of a list, as they come. An upstream that hands out a cursor twice would be asked, and paid, for ever:
 * where the page is empty too the list has ended, else RetryableError `bad_response` follows the page, since what
 * lies behind cannot be reached. Stops when the caller stops reading.
 */
export async function* pages<T>(
  fetchPage: (cursor: string | null) => Promise<Page<T>>,
): AsyncGenerator<T[], void, undefined> {
  const seen = new Set<string>();
  let emptyCount = 0;
  for (let cursor: string | null = null; ;) {
    const page = await fetchPage(cursor);
    if (page.items.length > 0) yield page.items;
    emptyCount = page.items.length > 0 ? 0 : emptyCount + 1;
    if (page.cursor === null || emptyCount === EMPTY_PAGES_MAX) return;
    if (page.cursor === cursor || seen.has(page.cursor)) {
      if (page.items.length === 0) return;
      throw new RetryableError("bad_response", "the upstream's cursor does not move", {
        details: { pageCount: seen.size + 1 },
      });
    }
    seen.add(page.cursor);
    cursor = page.cursor;
  }
}
