import type { ErrorCode, StageEnd } from "@clipmill/domain";

/**
 * "Gone" and "private" are remembered for this long, so that a dead post that is asked for again costs nothing;
 * after it the post is looked up anew, because creators do change their minds.
 */
const ABSENCE_REMEMBERED_MS = 10 * 60_000;

const ABSENCES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["gone", "private", "region_locked"]);

/** Whether what was missing then is looked up anew: creators and regions change their minds. */
export function isAbsenceOver(code: ErrorCode | null, endedMsAgo: number): boolean {
  return code !== null && ABSENCES.has(code) && endedMsAgo > ABSENCE_REMEMBERED_MS;
}

/** Whether a fallback's result stands where a better engine of its recipe is available now. */
export function hasBetterEngine({
  input,
  end,
  isAvailable,
}: StageEnd<{ engines: readonly string[] }, { engine: string }>): boolean {
  if (end.state !== "done") return false;
  const ran = input.engines.indexOf(end.output.engine);
  return input.engines.slice(0, Math.max(0, ran)).some(isAvailable);
}
