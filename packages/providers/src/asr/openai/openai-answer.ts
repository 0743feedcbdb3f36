import type { AsrInput, Segment } from "@clipmill/domain";
import { z } from "zod";
import { tidySegments } from "../tidy-segments.ts";
import { toLanguageTag } from "../to-language-tag.ts";

/**
 * What every server of this shape agrees on. The confidence fields are left out: vLLM sends null for all of them,
 * whisper.cpp has no compression ratio, and nothing here reads them.
 */
const Answer = z.object({
  text: z.string(),
  language: z.string().nullish(),
  segments: z.array(z.object({ start: z.number(), end: z.number(), text: z.string() })).nullish(),
});

/** Reads a transcription answer, `json` or `verbose_json`. Null where it is neither. */
export function parseOpenAiAnswer(
  body: string,
  { durationMs, language }: Pick<AsrInput, "durationMs" | "language">,
): { language: string | null; segments: Segment[] } | null {
  const parsed = Answer.safeParse(parseJson(body));
  if (!parsed.success) return null;
  const { text, segments: timed } = parsed.data;
  const segments = (timed ?? []).map((segment) => ({
    // Whisper pads to 30 s windows, and so may place its last segments past the end of the clip.
    startMs: Math.min(durationMs, Math.max(0, segment.start * 1000)),
    endMs: Math.min(durationMs, segment.end * 1000),
    text: segment.text,
  }));
  // Plain `json` has no times: one segment over the whole clip is all that is known.
  const whole = [{ startMs: 0, endMs: durationMs, text }];
  return {
    language: toLanguageTag(parsed.data.language ?? language),
    segments: tidySegments(segments.length > 0 ? segments : whole),
  };
}

const ErrorBody = z.object({ error: z.object({ code: z.string() }) });

/** OpenAI's machine-readable error code; null where the body has none. */
export function parseErrorCode(body: string): string | null {
  const parsed = ErrorBody.safeParse(parseJson(body));
  return parsed.success ? parsed.data.error.code : null;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
