import {
  type CaptionReader,
  ClipmillError,
  hashJson,
  hashTranscript,
  isSimulated,
  judgeSpeech,
  type PostCaptions,
  type Segment,
  type Sha256,
  type StageContext,
  toEngineId,
  toText,
  type Transcript,
} from "@clipmill/domain";

/** A transcript made from the platform's captions. */
export interface CaptionTranscript {
  transcript: Transcript;
  /** The language of the captions is the one that is spoken, as far as the source tells. */
  spoken: boolean;
}

/** Languages that are read of one post. TikTok translates into dozens; the spoken one is among the first. */
const LANGUAGES_MAX = 4;

/**
 * Reads the captions of a post that are worth having: what is said, not a translation of it. Captions that cannot be
 * read or do not pass the gate leave the work to recognition; they fail nothing.
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
    // Of several languages of unknown origin any may be the spoken one.
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
    if (!(error instanceof ClipmillError) || signal.aborted) throw error;
    log.warn({ code: error.code }, "captions not available");
    return null;
  }
}

/** Cues of another cut of the video end after it. */
const END_SLACK_MS = 2_000;
/** Captions that stop half-way are of a teaser, or of a title card alone. */
const SPAN_MIN = 0.5;
/** A line such as "[Music]" over and over is no transcript. Choruses repeat, but not as more than half of all lines. */
const SAME_LINE_MAX = 0.5;
const SAME_LINE_FROM_CUES = 4;

/**
 * The quality gate. What passes reaches over at least half of the clip from its first cue to its last, does not go on
 * after its end, is not one line repeated, and is dense enough for speech (`judgeSpeech`). Null for what does not pass.
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
    // The platform may mend its captions, so the words are part of the key.
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

/** `captions:ytdlp`; captions of the sandbox say so. */
function toCaptionsEngine(source: string): string {
  const model = source.replace(/@.*/, "");
  return toEngineId("captions", { model, sandbox: isSimulated(source) });
}
