import { z } from "zod";
import { hashJson, type Sha256 } from "../ids.ts";
import { toSeconds } from "../seconds.ts";
import { defineArtifact } from "./kind.ts";
import { SpeechVerdict } from "./speech-verdict.ts";
import { normalizeText } from "./text.ts";

/** A stretch of recognised speech; milliseconds from the start of the media. */
export const Segment = z.object({
  startMs: z.number().int().nonnegative(),
  endMs: z.number().int().nonnegative(),
  text: z.string(),
  /** The engine told no times, or not both: they are made of the text's length. Absent: it told them. */
  estimated: z.literal(true).optional(),
});
export type Segment = z.infer<typeof Segment>;

/** Bumped when the meaning of a stored transcript changes, so that old hashes cannot be mistaken for new ones. */
export const TRANSCRIPT_FORMAT_VERSION = 1;

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
export const PublicSegment = z.object({
  start: z.number(),
  end: z.number(),
  text: z.string(),
  estimated: z
    .literal(true)
    .optional()
    .describe("the engine told no times: these are estimated; absent: it told them"),
});

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
    segments: (own?.segments ?? []).map(({ startMs, endMs, text, estimated }) => ({
      start: toSeconds(startMs),
      end: toSeconds(endMs),
      text,
      ...(estimated === true ? { estimated } : {}),
    })),
  }),
});

export function toText(segments: readonly Segment[]): string {
  return normalizeText(segments.map((segment) => segment.text).join(" "));
}

export function hashTranscript(text: string, language: string | null): Sha256 {
  return hashJson({ text: normalizeText(text), language, format: TRANSCRIPT_FORMAT_VERSION });
}
