import { z } from "zod";
import { hashJson, type Sha256 } from "../ids.ts";
import { toSeconds } from "../seconds.ts";
import { defineArtifact } from "./kind.ts";

/** A stretch of recognised speech; milliseconds from the start of the media. */
export const Segment = z.object({
  startMs: z.number().int().nonnegative(),
  endMs: z.number().int().nonnegative(),
  text: z.string(),
});
export type Segment = z.infer<typeof Segment>;

/** Bumped when the meaning of a stored transcript changes, so that old hashes cannot be mistaken for new ones. */
export const TRANSCRIPT_FORMAT_VERSION = 1;

/** `silent`: stored, but never prompted as speech. */
export const SpeechVerdict = z.enum(["speech", "silent"]);
export type SpeechVerdict = z.infer<typeof SpeechVerdict>;

export const Transcript = z.object({
  /** Hash of media, recipe, engine and language hint: what another run would have to share to be the same. */
  key: z.string(),
  hash: z.string(),
  mediaSha256: z.string(),
  /** The requested engines in order. */
  recipe: z.string(),
  /** The engine that ran. */
  engine: z.string(),
  /** Where the words come from. */
  origin: z.enum(["speech", "captions"]),
  /** BCP-47 primary tag such as `en`; null where neither engine nor caller knows. */
  language: z.string().nullable(),
  text: z.string(),
  segments: z.array(Segment),
  /** Length of the recognised audio. */
  durationMs: z.number().int(),
  verdict: SpeechVerdict,
});
export type Transcript = z.infer<typeof Transcript>;

/** A segment in public JSON: seconds, three decimals. */
export const PublicSegment = z.object({ start: z.number(), end: z.number(), text: z.string() });

export const transcriptKind = defineArtifact({
  name: "transcript",
  shape: Transcript,
  columns: ["hash", "origin", "language", "text", "segments"],
  listing: { model: "asr", stage: "transcribe" },
  fields: {
    language: z.string().nullable(),
    transcript: z.string(),
    segments: z.array(PublicSegment).describe("seconds"),
  },
  toFields: ({ own }) => ({
    language: own?.language ?? null,
    transcript: own?.text ?? "",
    segments: (own?.segments ?? []).map(({ startMs, endMs, text }) => ({
      start: toSeconds(startMs),
      end: toSeconds(endMs),
      text,
    })),
  }),
});

/** Unicode-normalised with single spaces: two engines that differ only there give one hash. */
export function normalizeText(text: string): string {
  return text.normalize("NFC").replace(/\s+/gu, " ").trim();
}

export function toText(segments: readonly Segment[]): string {
  return normalizeText(segments.map((segment) => segment.text).join(" "));
}

export function hashTranscript(text: string, language: string | null): Sha256 {
  return hashJson({ text: normalizeText(text), language, format: TRANSCRIPT_FORMAT_VERSION });
}

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
