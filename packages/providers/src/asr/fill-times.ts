import type { Segment } from "@clipmill/domain";

/** A stretch of text as an engine sent it: either time may be missing. */
export interface UntimedSegment {
  startMs: number | null;
  endMs: number | null;
  text: string;
}

/**
 * Gives each segment both times, inside the clip. Times that are missing are estimated and marked: segments share the
 * room between their neighbours by the length of their texts. Where no segment is longer than nothing, no time counts.
 */
export function fillTimes(segments: readonly UntimedSegment[], durationMs: number): Segment[] {
  const known = segments.some(({ startMs, endMs }) => (endMs ?? 0) > (startMs ?? 0));
  const toTime = (ms: number | null): number | null =>
    known && ms !== null ? Math.min(durationMs, Math.max(0, ms)) : null;
  const timed = segments.map(({ startMs, endMs, text }) => ({
    startMs: toTime(startMs),
    endMs: toTime(endMs),
    text,
  }));
  const filled: Segment[] = [];
  for (let from = 0; from < timed.length;) {
    let to = from + 1;
    // A run ends before the next segment whose start is known.
    while (to < timed.length && timed[to]?.startMs === null) to++;
    const untilMs = timed[to]?.startMs ?? durationMs;
    filled.push(...fillRun(timed.slice(from, to), filled.at(-1)?.endMs ?? 0, untilMs));
    from = to;
  }
  return filled;
}

/** A run of segments of which only the first may have a start. */
function fillRun(run: readonly UntimedSegment[], afterMs: number, untilMs: number): Segment[] {
  const filled: Segment[] = [];
  let charsLeft = run.reduce((sum, { text }) => sum + text.length, 0);
  let atMs = run[0]?.startMs ?? afterMs;
  for (const { startMs, endMs, text } of run) {
    const share = charsLeft === 0 ? 0 : text.length / charsLeft;
    const end = endMs ?? atMs + Math.max(0, untilMs - atMs) * share;
    const isEstimated = startMs === null || endMs === null;
    filled.push({ startMs: atMs, endMs: end, text, ...(isEstimated ? { estimated: true } : {}) });
    atMs = Math.max(atMs, end);
    charsLeft -= text.length;
  }
  return filled;
}
