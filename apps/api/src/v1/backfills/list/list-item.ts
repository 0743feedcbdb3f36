import { findLinks, type ParsedLink } from "@clipmill/domain";

/**
 * One link of a list, or what stands in its place. `line` counts from 1, with headers, comments and empty lines; in a
 * JSON array it is the position.
 */
export type ListItem = { line: number; link: ParsedLink } | { line: number; reason: string };

/** Share text with a caption of 4,000 characters fits; a longer line is no link. */
export const LINE_MAX_CHARS = 10_000;

/** What a line, a cell or a JSON string stands for: never nothing. */
export function toItems(line: number, text: string): ListItem[] {
  if (text.length > LINE_MAX_CHARS) {
    return [{ line, reason: `it is longer than ${LINE_MAX_CHARS} characters` }];
  }
  return findLinks(text).map((found) =>
    found.kind === "invalid" ? { line, reason: found.reason } : { line, link: found },
  );
}

/** Whether a cell holds the link of a post, and not merely a link. */
export function holdsPost(text: string): boolean {
  return text.length <= LINE_MAX_CHARS && findLinks(text).some(({ kind }) => kind !== "invalid");
}
