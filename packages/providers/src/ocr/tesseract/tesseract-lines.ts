const MAX_LINES = 60;
const MAX_LINE_CHARS = 200;

/** The lines of a reading that hold something: two letters or digits in a row. Untrusted text, so bounded. */
export function toLines(output: string): string[] {
  return output
    .split(/[\n\f]/)
    .map((line) =>
      line
        // A lone bar is how tesseract reads a sans-serif capital I.
        .replace(/(?<=^|\s)\|(?=\s|$)/g, "I")
        .replace(/[\p{Cc}\s]+/gu, " ")
        .trim()
        .slice(0, MAX_LINE_CHARS),
    )
    .filter((line) => /[\p{L}\p{N}]{2}/u.test(line))
    .slice(0, MAX_LINES);
}

/** The reading with more words that look like words; the first when they are even. */
export function selectReading(first: string[], second: string[]): string[] {
  return countWords(second) > countWords(first) ? second : first;
}

/** Three letters or more with a vowel, in one case or capitalised: noise like `eRv` or `|||~` is not. */
function countWords(lines: readonly string[]): number {
  return lines
    .flatMap((line) => line.split(" "))
    .filter((word) => /^\W*([A-Z]?[a-z']{2,}|[A-Z']{3,})\W*$/.test(word) && /[aeiouy]/i.test(word))
    .length;
}
