import { cleanText } from "@clipmill/domain";

/** What was read of a picture. */
export interface Reading {
  /** From top to bottom. */
  lines: string[];
  /** There is something like text that the engine is not sure of: another script, or noise. */
  hasUnread: boolean;
}

interface Word {
  text: string;
  /** 0 to 100. */
  confidence: number;
}

const MAX_LINES = 60;
const MAX_LINE_CHARS = 200;

/**
 * Measured on words of 44 and 60 px in fifteen languages: those that the English data knows have 86 to 97, with a
 * letter that it does not know 46; Greek, Hebrew, Arabic, Georgian and Armenian have 0 to 61. Cyrillic has up to 90 where a
 * word happens to look Latin, but then not the whole line, and mostly digits or capitals inside of words.
 */
const SURE_FROM = 75;
/** Of the words of a line, weighed by length, as many must be sure. */
const SURE_SHARE = 0.6;
/** Single words below are left out of lines that are kept. */
const WORD_FROM = 40;
/** Unsure words of this length, as many to a line, are text and no noise. */
const TEXT_WORD_CHARS = 3;
const TEXT_WORDS = 2;

/** Reads tesseract's table of words. Lines that it is not sure of are left out. Untrusted text, so clean and bounded. */
export function toReading(table: string): Reading {
  const lines: string[] = [];
  let hasUnread = false;
  for (const words of toWordLines(table)) {
    if (isSure(words)) {
      const kept = words.filter(({ confidence }) => confidence >= WORD_FROM);
      const line = toLine(kept.map(({ text }) => text).join(" "));
      // Two letters or digits in a row: what has none of that says nothing.
      if (/[\p{L}\p{N}]{2}/u.test(line) && lines.length < MAX_LINES) lines.push(line);
    } else hasUnread ||= isText(words);
  }
  return { lines, hasUnread };
}

/** The words by lines. Columns: level, page, block, paragraph, line, word, four of the place, confidence, text. */
function toWordLines(table: string): Word[][] {
  const lines = new Map<string, Word[]>();
  for (const row of table.split("\n")) {
    const cells = row.split("\t");
    const text = cells.slice(11).join(" ").trim();
    const confidence = Number(cells[10]);
    if (text === "" || !(confidence >= 0)) continue;
    const line = cells.slice(1, 5).join(" ");
    const words = lines.get(line) ?? [];
    words.push({ text, confidence });
    lines.set(line, words);
  }
  return [...lines.values()];
}

function isSure(words: readonly Word[]): boolean {
  const toLength = (some: readonly Word[]) => some.reduce((sum, { text }) => sum + text.length, 0);
  const sure = words.filter((word) => word.confidence >= SURE_FROM && !isOdd(word.text));
  return toLength(sure) >= toLength(words) * SURE_SHARE;
}

/** A digit or a capital inside of small letters, as `opy3am`: names such as `iPhone` and `H2O` are rare among words. */
function isOdd(text: string): boolean {
  return /\p{Ll}\d+\p{Ll}|\p{Ll}\p{Lu}/u.test(text);
}

function isText(words: readonly Word[]): boolean {
  const long = words.filter(
    ({ text }) => (text.match(/[\p{L}\p{N}]/gu) ?? []).length >= TEXT_WORD_CHARS,
  );
  return long.length >= TEXT_WORDS;
}

function toLine(text: string): string {
  return (
    cleanText(text)
      // A lone bar is how tesseract reads a sans-serif capital I.
      .replace(/(?<=^|\s)\|(?=\s|$)/g, "I")
      .replace(/\s+/gu, " ")
      .trim()
      .slice(0, MAX_LINE_CHARS)
      .toWellFormed()
  );
}

/** The reading with more words that look like words; the first when they are even. Unread is what both cannot read. */
export function selectReading(first: Reading, second: Reading): Reading {
  const { lines } = countWords(second.lines) > countWords(first.lines) ? second : first;
  return { lines, hasUnread: first.hasUnread && second.hasUnread };
}

/** Three letters or more with a vowel, in one case or capitalised: noise like `eRv` or `|||~` is not. */
function countWords(lines: readonly string[]): number {
  return lines
    .flatMap((line) => line.split(" "))
    .filter((word) => /^\W*([A-Z]?[a-z']{2,}|[A-Z']{3,})\W*$/.test(word) && /[aeiouy]/i.test(word))
    .length;
}
