import { z } from "zod";
import { normalizeText } from "./text.ts";

/** `silent`: stored, but never prompted as speech. */
export const SpeechVerdict = z.enum(["speech", "silent"]);
export type SpeechVerdict = z.infer<typeof SpeechVerdict>;

const SPEECH_MIN_CHARS = 20;
const SPEECH_MIN_WORDS_PER_SECOND = 0.5;
const SPEECH_RATE_APPLIES_OVER_MS = 5_000;

/**
 * The public guide's rule: under 20 characters, or under half a word a second on clips over 5 s, counts as
 * silent. Words over the clip's whole duration; music-only posts lie well below. Words are those of Unicode, also in
 * scripts without spaces; a sign of Chinese, Japanese or Korean says as much as two letters; emoji and notes say
 * nothing. The same few words again and again are what recognisers make of noise, and count as silent.
 */
export function judgeSpeech(text: string, durationMs: number): SpeechVerdict {
  const normal = normalizeText(text.replace(WORDLESS, " "));
  if (countChars(normal) < SPEECH_MIN_CHARS) return "silent";
  const seconds = durationMs > SPEECH_RATE_APPLIES_OVER_MS ? durationMs / 1000 : 0;
  const needed = Math.max(1, seconds * SPEECH_MIN_WORDS_PER_SECOND);
  const words = toWords(normal, Math.max(LOOP_WORDS_MAX, Math.ceil(needed)));
  return words.length < needed || isLoop(words) ? "silent" : "speech";
}

/** Pictures, symbols such as notes, and what joins and colours them. */
const WORDLESS =
  /[\p{Extended_Pictographic}\p{So}\p{Variation_Selector}]|\p{Emoji_Modifier}|\u{200D}/gu;

const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** Stops counting at the limit. */
function countChars(text: string): number {
  let chars = 0;
  for (const char of text) {
    chars += DENSE.test(char) ? 2 : 1;
    if (chars >= SPEECH_MIN_CHARS) break;
  }
  return chars;
}

/** The first words of a text, in lower case. */
function toWords(text: string, max: number): string[] {
  const words: string[] = [];
  const segmenter = new Intl.Segmenter("und", { granularity: "word" });
  for (const { segment, isWordLike } of segmenter.segment(text)) {
    if (words.length === max) break;
    if (isWordLike === true) words.push(segment.toLowerCase());
  }
  return words;
}

const LOOP_WORDS_MIN = 12;
const LOOP_WORDS_MAX = 2_000;
/** Speech has about 0.9, a song with its chorus 0.4; "thank you" twenty times has 0.05. */
const LOOP_DISTINCT_MAX = 0.2;
const RUN_WORDS = 3;

/** Whether few of all runs of three words differ. */
function isLoop(words: readonly string[]): boolean {
  if (words.length < LOOP_WORDS_MIN) return false;
  const runs = words
    .slice(0, 1 - RUN_WORDS)
    .map((_, at) => words.slice(at, at + RUN_WORDS).join(" "));
  return new Set(runs).size < runs.length * LOOP_DISTINCT_MAX;
}
