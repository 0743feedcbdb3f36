import type { Segment } from "@clipmill/domain";
import { wordsToSegments } from "../words-to-segments.ts";

/** `word start end confidence`, seconds with three decimals, as `-time yes` prints it. */
const TIMED_WORD = /^(\S+) (\d+\.\d{3}) (\d+\.\d{3}) \S+$/;
/** `<s> </s> <sil> [NOISE] [SPEECH] ++UM++ +SPN+`: what the decoder heard that is no word. */
const FILLER = /^(<.*>|\[.*\]|\+.*\+)$/;
/** `for(3)` is the third pronunciation of "for". */
const PRONUNCIATION = /\(\d+\)$/;

/**
 * Reads the output of `pocketsphinx_continuous -time yes`: per utterance one line with the hypothesis, then one line
 * per word with its times. Returns null where there are words without times: then the output is not what we know.
 */
export function parsePocketsphinx(output: string): Segment[] | null {
  const utterances: Segment[][] = [];
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
  const segments = utterances.flatMap(wordsToSegments);
  return segments.length === 0 && sawUntimedWords ? null : segments;
}

function toWord(token: string): string {
  return FILLER.test(token.trim()) ? "" : token.trim().replace(PRONUNCIATION, "");
}

function toMs(seconds: string | undefined): number {
  return Math.round(Number(seconds) * 1000);
}
