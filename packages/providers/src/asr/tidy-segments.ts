import { normalizeText, type Segment } from "@clipmill/domain";

/** Segments as the port promises them: in order, whole milliseconds, without overlap, each with text. */
export function tidySegments(segments: readonly Segment[]): Segment[] {
  const tidy: Segment[] = [];
  let endMs = 0;
  for (const segment of [...segments].sort((a, b) => a.startMs - b.startMs)) {
    const text = normalizeText(segment.text);
    if (text === "") continue;
    const startMs = Math.max(endMs, Math.round(segment.startMs));
    endMs = Math.max(startMs, Math.round(segment.endMs));
    tidy.push({ startMs, endMs, text });
  }
  return tidy;
}
