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
 * silent. Words over the clip's whole duration; music-only posts lie well below.
 */
export function judgeSpeech(text: string, durationMs: number): SpeechVerdict {
  const normal = normalizeText(text);
  if (normal.length < SPEECH_MIN_CHARS) return "silent";
  const words = normal.split(" ").length;
  const tooSparse =
    durationMs > SPEECH_RATE_APPLIES_OVER_MS &&
    words / (durationMs / 1000) < SPEECH_MIN_WORDS_PER_SECOND;
  return tooSparse ? "silent" : "speech";
}
