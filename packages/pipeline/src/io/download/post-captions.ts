import {
  type CaptionReader,
  hashJson,
  hashTranscript,
  isSimulated,
  judgeSpeech,
  type PostCaptions,
  type Segment,
  type Sha256,
  type StageContext,
  toClipmillError,
  toEngineId,
  toText,
  type Transcript,
} from "@clipmill/domain";

/** A transcript made from the platform's captions. */
export interface CaptionTranscript {
  transcript: Transcript;
  /** Whether the captions are in the spoken language, as far as the source says. */
  spoken: boolean;
}

/** Languages read per post. TikTok translates into dozens; the spoken one is among the first. */
const LANGUAGES_MAX = 4;

/**
 * Reads the captions of a post, translations left out. Captions that cannot be read, or that `findGoodSegments`
 * rejects, are left out as well and fail nothing: the speech is recognised instead.
 */
export async function readPostCaptions(
  reader: CaptionReader,
  {
    captions,
    mediaSha256,
    durationMs,
    source,
  }: { captions: readonly PostCaptions[]; mediaSha256: Sha256; durationMs: number; source: string },
  ctx: StageContext,
): Promise<CaptionTranscript[]> {
  const originals = captions.filter(({ origin }) => origin !== "translation");
  const found: CaptionTranscript[] = [];
  for (const each of originals.slice(0, LANGUAGES_MAX)) {
    const segments = await readOne(reader, each, ctx);
    const clipped = segments === null ? null : findGoodSegments(segments, durationMs);
    ctx.log.info({ language: each.language, used: clipped !== null }, "captions read");
    if (clipped === null) continue;
    const media = { mediaSha256, durationMs, source, language: each.language };
    // With several languages of unknown origin, any of them may be the spoken one.
    found.push({ transcript: toTranscript(clipped, media), spoken: originals.length === 1 });
  }
  return found;
}

async function readOne(
  reader: CaptionReader,
  captions: PostCaptions,
  { signal, log }: StageContext,
): Promise<Segment[] | null> {
  try {
    return await reader.readCaptions(captions, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    // Not only what the reader says: a good post never fails because of its captions.
    log.warn({ code: toClipmillError(error).code }, "captions not available");
    return null;
  }
}

/** Captions that end over 2 s after the clip belong to another edit. */
const END_SLACK_MS = 2_000;
/** Captions that cover less than half of the clip belong to a teaser, or to a title card alone. */
const SPAN_MIN = 0.5;
/**
 * One line again and again, such as "[Music]", is no transcript. A chorus repeats, but not in over half of all lines.
 */
const SAME_LINE_MAX = 0.5;
const SAME_LINE_FROM_CUES = 4;

/**
 * Checks the quality of captions. Good ones cover at least half of the clip from the first cue to the last, do not end
 * after the clip, are not one line repeated, and have enough words for speech (`judgeSpeech`). Null for others.
 */
export function findGoodSegments(
  segments: readonly Segment[],
  durationMs: number,
): Segment[] | null {
  const first = segments[0];
  const last = segments.at(-1);
  if (first === undefined || last === undefined) return null;
  if (last.endMs > durationMs + END_SLACK_MS) return null;
  if (last.endMs - first.startMs < durationMs * SPAN_MIN) return null;
  if (isOneLine(segments)) return null;
  if (judgeSpeech(toText(segments), durationMs) === "silent") return null;
  return segments.map(({ startMs, endMs, text }) => ({
    startMs: Math.min(startMs, durationMs),
    endMs: Math.min(endMs, durationMs),
    text,
  }));
}

function isOneLine(segments: readonly Segment[]): boolean {
  if (segments.length < SAME_LINE_FROM_CUES) return false;
  const counts = new Map<string, number>();
  for (const { text } of segments) {
    const line = text.toLowerCase();
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return Math.max(...counts.values()) > segments.length * SAME_LINE_MAX;
}

function toTranscript(
  segments: Segment[],
  {
    mediaSha256,
    durationMs,
    source,
    language,
  }: { mediaSha256: Sha256; durationMs: number; source: string; language: string | null },
): Transcript {
  const text = toText(segments);
  const engine = toCaptionsEngine(source);
  return {
    // The platform may correct its captions later, so the text is part of the key.
    key: hashJson({ mediaSha256, engine, language, segments }),
    hash: hashTranscript(text, language),
    mediaSha256,
    recipe: engine,
    engine,
    origin: "captions",
    language,
    text,
    segments,
    durationMs,
    verdict: "speech",
  };
}

/** Such as `captions:ytdlp`, with a mark if they come from the sandbox. */
function toCaptionsEngine(source: string): string {
  const model = source.replace(/@.*/, "");
  return toEngineId("captions", { model, sandbox: isSimulated(source) });
}
