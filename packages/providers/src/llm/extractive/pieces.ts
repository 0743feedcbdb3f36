/** Longest piece, in characters: languages without spaces have no words to count. */
const MAX_CHARS = 160;
/** Where speech without punctuation may be cut, once a piece has enough words to stand alone. */
const CONNECTIVES = new Set(
  "and because but finally first if next now or so then until when where which while".split(" "),
);
const CUT_FROM_WORDS = 7;
const LONGEST_WORDS = 18;
/** Shorter rests join the piece before them. */
const SHORTEST_WORDS = 3;

/** One line of plain text: no control characters, no bidirectional overrides, no invisible spaces. */
export function toPlain(text: string): string {
  return text
    .normalize("NFC")
    .replace(/[\p{Cc}\p{Cs}\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/gu, " ")
    .replace(/\s+/gu, " ")
    .trim();
}

/** The first words of a text; `…` where something was left off. */
export function toFirstWords(text: string, maxWords: number): string {
  const words = text.trim().split(/\s+/u);
  const chars = Array.from(words.slice(0, maxWords).join(" "));
  const kept = chars.slice(0, MAX_CHARS).join("").trimEnd();
  return words.length > maxWords || chars.length > MAX_CHARS ? `${kept}…` : kept;
}

/** A text as sentences, or as clauses where they are long or there is no punctuation, each with a letter or digit. */
export function toPieces(text: string): string[] {
  const sentences = new Intl.Segmenter("en", { granularity: "sentence" }).segment(toPlain(text));
  return Array.from(sentences, ({ segment }) => segment.trim())
    .flatMap(toClauses)
    .filter((piece) => /[\p{L}\p{N}]/u.test(piece));
}

function toClauses(sentence: string): string[] {
  const words = sentence.split(" ");
  if (words.length <= LONGEST_WORDS) return [sentence];
  const clauses: string[][] = [[]];
  for (const word of words) {
    const clause = clauses.at(-1) ?? [];
    const mayCut = clause.length >= CUT_FROM_WORDS && CONNECTIVES.has(word.toLowerCase());
    if (mayCut || clause.length >= LONGEST_WORDS) clauses.push([word]);
    else clause.push(word);
  }
  const rest = clauses.at(-1) ?? [];
  if (clauses.length > 1 && rest.length < SHORTEST_WORDS) {
    clauses.pop();
    clauses.at(-1)?.push(...rest);
  }
  return clauses.map((clause) => clause.join(" "));
}

const STOP_WORDS = new Set(
  `about after again all also and any are been before being but can can't come could does doing don't done everyone
  for from get going gonna got guys had has have hello her here hey him his how i'm i've into it's its just know let
  let's like make more most much never not now off okay one only other our out over really see she should some thank
  thanks that that's the their them then there these they thing things this those through today too use used very
  video was watch watching way we're well were what when where which while who why will with would yeah you you're
  your`.split(/\s+/),
);

const WORD_CHARS = { min: 3, max: 24 };
/** In these scripts a word of two signs carries meaning. */
const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]{2}/u;

/** Words that carry meaning, in lower case and in order of appearance, also of scripts without spaces. */
export function toContentWords(text: string): string[] {
  const words: string[] = [];
  const segmenter = new Intl.Segmenter("und", { granularity: "word" });
  for (const { segment, isWordLike } of segmenter.segment(text.toLowerCase())) {
    if (isWordLike !== true || STOP_WORDS.has(segment) || !/\p{L}/u.test(segment)) continue;
    const isLong = segment.length >= WORD_CHARS.min || DENSE.test(segment);
    if (isLong && segment.length <= WORD_CHARS.max) words.push(segment);
  }
  return words;
}

/**
 * The pieces that say most, in their own order: each scores the frequency of its content words in the whole text,
 * damped by length. Equal scores go to the earlier piece.
 */
export function selectPieces(pieces: readonly string[], count: number): string[] {
  const frequency = new Map<string, number>();
  for (const word of pieces.flatMap(toContentWords)) {
    frequency.set(word, (frequency.get(word) ?? 0) + 1);
  }
  const ranked = pieces.map((piece, at) => {
    const words = new Set(toContentWords(piece));
    const sum = [...words].reduce((total, word) => total + (frequency.get(word) ?? 0), 0);
    return { at, piece, score: sum / Math.sqrt(words.size + 1) };
  });
  return ranked
    .sort((a, b) => b.score - a.score || a.at - b.at)
    .slice(0, count)
    .sort((a, b) => a.at - b.at)
    .map(({ piece }) => piece);
}
