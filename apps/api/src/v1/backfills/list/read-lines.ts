import { LINE_MAX_CHARS, type ListItem, toItems } from "./list-item.ts";

/** What one line stands for; an empty array for a line that is no item. */
type ToItems = (line: number, text: string) => readonly ListItem[];

/** Each line of a text as it arrives. A line that never ends takes no more memory than one that is too long. */
export async function* mapLines(
  text: AsyncIterable<string>,
  toItemsOf: ToItems,
): AsyncGenerator<ListItem[]> {
  let line = 0;
  let rest = "";
  const read = (lines: readonly string[]) =>
    lines.flatMap((raw) => {
      line++;
      const trimmed = raw.trim();
      return trimmed === "" ? [] : toItemsOf(line, trimmed);
    });
  for await (const piece of text) {
    const lines = (rest + piece).split("\n");
    // Cut, so that a body without line ends does not gather in memory; what is left is too long all the same.
    rest = (lines.pop() ?? "").slice(0, LINE_MAX_CHARS + 1);
    yield read(lines);
  }
  yield read([rest]);
}

/** Plain lines: all links of each. Comments, and the line that tells Excel the separator, are no items. */
export function readLines(text: AsyncIterable<string>): AsyncGenerator<ListItem[]> {
  return mapLines(text, (line, trimmed) => {
    if (isComment(trimmed) || (line === 1 && /^"?sep=.{0,3}$/i.test(trimmed))) return [];
    return toItems(line, trimmed);
  });
}

/** `# …` as in yt-dlp's lists; `#fyp https://…` is share text. */
function isComment(line: string): boolean {
  return /^#(?:\s|#|$|https?:)/i.test(line) || (line.startsWith("#") && !line.includes("/"));
}
