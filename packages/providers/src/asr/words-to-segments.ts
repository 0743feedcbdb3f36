import type { Segment } from "@clipmill/domain";

/** A new segment where the speaker pauses this long: flite's full stops are about 0.4 s, its commas 0.2 s. */
const PAUSE_MS = 350;
/** And after this long at the latest, so that a segment stays quotable. */
const MAX_SEGMENT_MS = 8_000;

/** Scripts that are written without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Words with their times as segments. A segment ends at a pause, and after 8 s at the latest. */
export function wordsToSegments(words: readonly Segment[]): Segment[] {
  const segments: Segment[] = [];
  for (const word of words) {
    const last = segments.at(-1);
    const goesOn =
      last !== undefined &&
      word.startMs - last.endMs < PAUSE_MS &&
      word.endMs - last.startMs <= MAX_SEGMENT_MS;
    if (goesOn) {
      last.text += `${UNSPACED.test(word.text) ? "" : " "}${word.text}`;
      last.endMs = word.endMs;
      if (word.estimated === true) last.estimated = true;
    } else segments.push({ ...word });
  }
  return segments;
}
