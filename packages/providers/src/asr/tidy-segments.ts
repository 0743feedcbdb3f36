import { cutText, normalizeText, type Segment } from "@clipmill/domain";

/** Far over what can be said in the longest media that is taken: an hour of fast speech has 100,000 characters. */
const TEXT_MAX_CHARS = 1_000_000;
const SEGMENTS_MAX = 20_000;

/**
 * Segments as the port promises them: in order, whole milliseconds, without overlap, each with clean text. What is over
 * 20,000 segments or a million characters is left out.
 */
export function tidySegments(segments: readonly Segment[]): Segment[] {
  const tidy: Segment[] = [];
  let endMs = 0;
  let charsLeft = TEXT_MAX_CHARS;
  for (const { estimated, ...segment } of [...segments].sort((a, b) => a.startMs - b.startMs)) {
    const text = normalizeText(cutText(segment.text, charsLeft));
    if (text === "") continue;
    if (tidy.length === SEGMENTS_MAX) break;
    charsLeft -= text.length;
    const startMs = Math.max(endMs, Math.round(segment.startMs));
    endMs = Math.max(startMs, Math.round(segment.endMs));
    tidy.push({ startMs, endMs, text, ...(estimated === true ? { estimated } : {}) });
  }
  return tidy;
}
