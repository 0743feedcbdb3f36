import type { Segment } from "@clipmill/domain";

interface Word {
  startMs: number;
  endMs: number;
  text: string;
}

/** `word start end confidence`, seconds with three decimals, as `-time yes` prints it. */
const TIMED_WORD = /^(\S+) (\d+\.\d{3}) (\d+\.\d{3}) \S+$/;
/** `<s> </s> <sil> [NOISE] [SPEECH] ++UM++ +SPN+`: what the decoder heard that is no word. */
const FILLER = /^(<.*>|\[.*\]|\+.*\+)$/;
/** `for(3)` is the third pronunciation of "for". */
const PRONUNCIATION = /\(\d+\)$/;

/** A new segment where the speaker pauses this long: flite's full stops are about 0.4 s, its commas 0.2 s. */
const PAUSE_MS = 350;
/** And after this long at the latest, so that a segment stays quotable. */
const MAX_SEGMENT_MS = 8_000;

/**
 * Reads the output of `pocketsphinx_continuous -time yes`: per utterance one line with the hypothesis, then one line
 * per word with its times. Returns null where there are words without times: then the output is not what we know.
 */
export function parsePocketsphinx(output: string): Segment[] | null {
  const utterances: Word[][] = [];
  let sawUntimedWords = false;
  for (const line of output.split("\n")) {
    const [, token, start, end] = TIMED_WORD.exec(line) ?? [];
    if (token === undefined) {
      sawUntimedWords ||= line.split(" ").some((token) => toWord(token) !== "");
      continue;
    }
    if (token === "<s>" || utterances.length === 0) utterances.push([]);
    const text = toWord(token);
    if (text === "") continue;
    utterances.at(-1)?.push({ startMs: toMs(start), endMs: toMs(end), text });
  }
  const segments = utterances.flatMap(toSegments);
  return segments.length === 0 && sawUntimedWords ? null : segments;
}

function toWord(token: string): string {
  return FILLER.test(token.trim()) ? "" : token.trim().replace(PRONUNCIATION, "");
}

function toMs(seconds: string | undefined): number {
  return Math.round(Number(seconds) * 1000);
}

function toSegments(words: readonly Word[]): Segment[] {
  const segments: Segment[] = [];
  for (const word of words) {
    const last = segments.at(-1);
    const goesOn =
      last !== undefined &&
      word.startMs - last.endMs < PAUSE_MS &&
      word.endMs - last.startMs <= MAX_SEGMENT_MS;
    if (goesOn) {
      last.text += ` ${word.text}`;
      last.endMs = word.endMs;
    } else segments.push({ ...word });
  }
  return segments;
}
